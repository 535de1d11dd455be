//! Forms that exist only in edition 2021.

use super::{forms, lazy_mmu, store};

forms![gen(1), ui_tests_forms_2021(2), captures("1").to_string(),];

of_this_edition! {
    #[allow(keyword_idents_2024)]
    #[lazy_mmu]
    fn gen(gen: u32) -> u32 {
        store();
        gen
    }
}

#[lazy_mmu]
#[no_mangle]
extern "C" fn ui_tests_forms_2021(page: u32) -> u32 {
    store();
    page
}

#[lazy_mmu]
fn captures(page: &str) -> impl std::fmt::Display {
    store();
    page.len()
}
