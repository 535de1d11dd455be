// At compile time there is no thread that could be in a section.
// The attribute refuses `const`, on that token.

use lazy_mmu::lazy_mmu;

#[lazy_mmu]
const fn map() -> u32 {
    1
}

const _: u32 = map();

fn main() {}
