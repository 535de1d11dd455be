//! Forms that only edition 2021 has.

use super::{forms, lazy_mmu, store};

forms![gen(1), unmangled(2), captures("1").to_string(),];

of_this_edition! {
    #[allow(keyword_idents_2024)]
    #[lazy_mmu]
    fn gen(gen: u32) -> u32 {
        store();
        gen
    }
}

macro_rules! unmangled {
    ($name:ident) => {
        use $name as unmangled;

        #[lazy_mmu]
        #[no_mangle]
        extern "C" fn $name(page: u32) -> u32 {
            store();
            page
        }
    };
}

plain_or_section! { { unmangled!(ui_tests_plain_2021); } { unmangled!(ui_tests_section_2021); } }

#[lazy_mmu]
fn captures(page: &str) -> impl std::fmt::Display {
    store();
    page.len()
}
