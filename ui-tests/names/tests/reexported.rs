//! The crate comes through another library, by a path or by a macro of this library.

use ui_tests_2021::section_fn;
use ui_tests_2021::vendored::mmu::sim::{Sim, pairs, take_trace};
use ui_tests_2021::vendored::mmu::{lazy_mmu, note_store};

#[lazy_mmu(crate = ui_tests_2021::vendored::mmu, backend = Sim, mmu = section)]
fn by_its_path() {
    section.note_store();
}

section_fn! {
    /// A function with documentation.
    #[must_use]
    pub(crate) fn by_its_macro(pages: u32) -> u32 {
        for _ in 0..pages {
            note_store::<Sim>();
        }
        pages
    }
}

#[test]
fn each_function_has_its_section() {
    by_its_path();
    assert_eq!(by_its_macro(3), 3);
    assert_eq!(pairs(&take_trace()), 2);
}
