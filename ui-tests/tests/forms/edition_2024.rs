//! Forms that exist only in edition 2024.

use super::{forms, lazy_mmu, store};

forms![
    r#gen(1),
    chain(Some(2)),
    chain(None),
    chain_in_while(&mut vec![3, 2, 1]),
    captures(&1).to_string(),
    foreign(1),
];

#[lazy_mmu]
fn r#gen(page: u32) -> u32 {
    store();
    page
}

of_this_edition! {
    #[lazy_mmu]
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

    #[lazy_mmu]
    fn chain_in_while(pages: &mut Vec<u32>) -> usize {
        while let Some(&page) = pages.last()
            && page < 3
        {
            store();
            pages.pop();
        }
        pages.len()
    }
}

#[lazy_mmu]
fn captures(page: &u32) -> impl std::fmt::Display {
    store();
    page
}

#[lazy_mmu]
fn foreign(page: i32) -> i32 {
    // SAFETY: the C library defines the function with this signature.
    unsafe extern "C" {
        safe fn abs(value: i32) -> i32;
    }
    store();
    abs(-page)
}
