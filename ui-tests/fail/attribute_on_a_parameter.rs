// A parameter is no body either.
// The compiler refuses an attribute macro there.

use lazy_mmu::lazy_mmu;

fn map(#[lazy_mmu] pages: usize) -> usize {
    pages
}

fn main() {
    map(1);
}
