// A section belongs to a thread, and there is no thread at compile time.
// The attribute refuses `const`, on that token.

use lazy_mmu::lazy_mmu;

#[lazy_mmu]
const fn map() -> u32 {
    1
}

const _: u32 = map();

fn main() {}
