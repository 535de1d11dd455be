// There is nothing to put into a section.
// The attribute refuses it, on the keyword.

use lazy_mmu::lazy_mmu;

#[lazy_mmu]
pub struct Tables;

#[lazy_mmu]
mod tables {}

#[lazy_mmu]
impl Tables {}

#[lazy_mmu]
unsafe trait Map {}

#[lazy_mmu]
const SIZE: usize = 1;

fn main() {
    let _ = (Tables, SIZE);
}
