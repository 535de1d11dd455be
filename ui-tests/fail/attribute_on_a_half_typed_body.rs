// While a body is being typed, an error of the attribute's would hide the one that its author must see.
// The compiler's own error stands where the mistake is, and nothing of the attribute's.

use lazy_mmu::lazy_mmu;

#[lazy_mmu]
fn map(pages: usize) -> usize {
    let count = pages.
}

fn main() {
    map(1);
}
