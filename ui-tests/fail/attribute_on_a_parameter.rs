// A parameter does not have a body that could be a section.
// The compiler refuses an attribute macro on a parameter.

use lazy_mmu::lazy_mmu;

fn map(#[lazy_mmu] pages: usize) -> usize {
    pages
}

fn main() {
    map(1);
}
