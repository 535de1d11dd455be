//! Runs each form without and with the attribute. The results must be the same.
//!
//! A form is a function with the attribute. Its file is compiled twice, in the modules `plain` and
//! `section`. The name `lazy_mmu` is the attribute only in `section`: in `plain` it is
//! `ui_tests::plain`, which returns the function as it is. `plain_or_section! { { .. } { .. } }` has
//! two alternatives, where the two modules need different code.

use std::cell::Cell;
use std::panic::{UnwindSafe, catch_unwind, set_hook};
use std::path::Path;

use lazy_mmu::sim::{Event, Sim, bits, take_trace};
use lazy_mmu::{Bits, Global};
use libtest_mimic::{Arguments, Trial};

lazy_mmu::set_global_backend!(Sim);

/// A call of a form: its file, its text, and the function that shows its result.
pub(crate) type Form = (&'static str, &'static str, fn() -> String);

/// Lists the calls of a file's forms. Each is a test, and its text is the test's name.
macro_rules! forms {
    ($($call:expr),* $(,)?) => {
        pub(super) const FORMS: &[crate::runner::Form] =
            &[$((file!(), stringify!($call), || format!("{:?}", $call))),*];
    };
}
pub(crate) use forms;

/// What the bodies do to the page tables.
pub(crate) fn store() {
    lazy_mmu::note_store::<Global>();
}

/// The value after the change.
pub(crate) fn changed<T>(mut value: T, change: impl FnOnce(&mut T)) -> T {
    change(&mut value);
    value
}

/// The form's result, or its panic: the place and the message.
pub(crate) fn caught<T>(form: impl FnOnce() -> T + UnwindSafe) -> Result<T, String> {
    catch_unwind(form).map_err(|_| PANIC.take())
}

thread_local! {
    static PANIC: Cell<String> = const { Cell::new(String::new()) };
}

/// Runs the test of each form.
pub(crate) fn run(plain: &[&[Form]], section: &[&[Form]]) {
    // The forms that panic mean to. Another panic fails its test, which shows it.
    set_hook(Box::new(|info| PANIC.set(info.to_string())));
    let twins = plain.concat().into_iter().zip(section.concat());
    let trials = twins.map(|((file, call, plain), (_, _, section))| {
        let module = Path::new(file).file_stem().unwrap_or_default().display();
        let name = format!("p01_p09::{module}::{}", call.replace('\n', " "));
        Trial::test(name, move || {
            compare(plain, section);
            Ok(())
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit();
}

fn compare(plain: fn() -> String, section: fn() -> String) {
    let ((plain, none), (section, some)) = (outcome(plain), outcome(section));
    assert_eq!(
        plain, section,
        "the results without, and with the attribute"
    );
    assert_eq!(none, 0, "sections without the attribute");
    assert_ne!(some, 0, "sections with the attribute");
}

/// The result, and how many sections the form has entered and left.
fn outcome(form: fn() -> String) -> (String, usize) {
    // A form that failed may have left its own.
    take_trace();
    let result = form();
    let trace = take_trace();
    let count = |of: fn(&&Event) -> bool| trace.iter().filter(of).count();
    let enters = count(|it| matches!(it, Event::Enter(_)));
    let leaves = count(|it| matches!(it, Event::Leave(_)));
    assert!(
        enters == leaves && bits::<Sim>() == Bits::EMPTY,
        "a section is open: {trace:?}"
    );
    (result, enters)
}
