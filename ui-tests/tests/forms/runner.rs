//! Runs each form without and with the attribute, and compares the results.
//!
//! A form is a function with the attribute. Its file is compiled twice, in the modules `plain` and
//! `section`. The name `lazy_mmu` is the real attribute in `section`. In `plain`, the same name is
//! `ui_tests::plain`, which does not change the function. `plain_or_section! { { .. } { .. } }` has
//! two alternatives for code that differs in the two modules.

use std::cell::Cell;
use std::panic::{UnwindSafe, catch_unwind, set_hook};
use std::path::Path;

use lazy_mmu::sim::{Event, Sim, bits, take_trace};
use lazy_mmu::{Bits, Global};
use libtest_mimic::{Arguments, Trial};

lazy_mmu::set_global_backend!(Sim);

/// A call of a form: the file, the text, and a function that returns the result as a string.
pub(crate) type Form = (&'static str, &'static str, fn() -> String);

/// Lists the calls of a file's forms. Each call is a test, and the call's text is its name.
macro_rules! forms {
    ($($call:expr),* $(,)?) => {
        pub(super) const FORMS: &[crate::runner::Form] =
            &[$((file!(), stringify!($call), || format!("{:?}", $call))),*];
    };
}
pub(crate) use forms;

/// Records a store. The bodies of the forms call this function.
pub(crate) fn store() {
    lazy_mmu::note_store::<Global>();
}

/// Changes the value and returns it.
pub(crate) fn changed<T>(mut value: T, change: impl FnOnce(&mut T)) -> T {
    change(&mut value);
    value
}

/// Returns the form's result, or the place and the message of its panic.
pub(crate) fn caught<T>(form: impl FnOnce() -> T + UnwindSafe) -> Result<T, String> {
    catch_unwind(form).map_err(|_| PANIC.take())
}

thread_local! {
    static PANIC: Cell<String> = const { Cell::new(String::new()) };
}

/// Runs the test of each form.
pub(crate) fn run(plain: &[&[Form]], section: &[&[Form]]) {
    // Some forms panic by intention. An unexpected panic is a different result and fails the test.
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
    assert_eq!(plain, section, "the results without and with the attribute");
    assert_eq!(none, 0, "sections without the attribute");
    assert_ne!(some, 0, "sections with the attribute");
}

/// Returns the result, and the number of sections that the form has entered and left.
fn outcome(form: fn() -> String) -> (String, usize) {
    // A form that failed may have left a trace.
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
