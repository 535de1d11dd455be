// An error in the body must be reported at its own place, with the same text as without the
// attribute. The body's tokens keep their places (E0308, E0425).

use lazy_mmu::lazy_mmu;

#[lazy_mmu]
fn wrong_type(pages: usize) -> u32 {
    let count = pages;
    count
}

#[lazy_mmu(mmu)]
fn unknown_name(pages: usize) -> usize {
    mmu.note_store();
    page
}

#[lazy_mmu]
fn no_value(pages: usize) -> usize {
    drop(pages);
}

fn main() {
    (wrong_type(1), unknown_name(1), no_value(1));
}
