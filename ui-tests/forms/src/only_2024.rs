//! Forms that only edition 2024 has.

use crate::forms::{Form, show, store};

pub(crate) const FORMS: &[Form] = &[
    ("edition 2024: gen as a raw name", || show(r#gen(1))),
    ("edition 2024: let chains", || {
        show((chain(Some(2)), chain(None)))
    }),
    ("edition 2024: a chain in a while", || {
        show(chain_in_while(&mut vec![3, 2, 1]))
    }),
    ("edition 2024: a result that borrows", || {
        show(captures(&1).to_string())
    }),
    ("edition 2024: a safe foreign item inside", || {
        show(foreign(1))
    }),
];

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn r#gen(page: u32) -> u32 {
    store();
    page
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn chain(page: Option<u32>) -> u32 {
    store();
    if let Some(page) = page
        && page > 1
        && let Some(next) = page.checked_add(1)
    {
        next
    } else {
        0
    }
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn chain_in_while(pages: &mut Vec<u32>) -> usize {
    while let Some(&page) = pages.last()
        && page < 3
    {
        store();
        pages.pop();
    }
    pages.len()
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn captures(page: &u32) -> impl std::fmt::Display {
    store();
    page
}

#[cfg_attr(feature = "section", lazy_mmu::lazy_mmu)]
fn foreign(page: i32) -> i32 {
    // SAFETY: the C library has it, with this signature.
    unsafe extern "C" {
        safe fn abs(value: i32) -> i32;
    }
    store();
    abs(-page)
}
