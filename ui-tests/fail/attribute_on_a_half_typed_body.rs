// An error of the attribute in an unfinished body would hide the error that its author must see.
// The compiler reports its own error at the mistake. The attribute reports nothing.

use lazy_mmu::lazy_mmu;

#[lazy_mmu]
fn map(pages: usize) -> usize {
    let count = pages.
}

fn main() {
    map(1);
}
