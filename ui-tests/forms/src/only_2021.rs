//! Forms that only edition 2021 has.

use crate::forms::{Form, show, store};

pub(crate) const FORMS: &[Form] = &[
    ("edition 2021: gen as a name", || show(gen(1))),
    ("edition 2021: no_mangle without unsafe", || {
        show(ui_tests_forms_2021(2))
    }),
    ("edition 2021: a result that borrows nothing", || {
        show(captures("1").to_string())
    }),
];

#[allow(keyword_idents_2024)]
#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn gen(gen: u32) -> u32 {
    store();
    gen
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
#[no_mangle]
extern "C" fn ui_tests_forms_2021(page: u32) -> u32 {
    store();
    page
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn captures(page: &str) -> impl std::fmt::Display {
    store();
    page.len()
}
