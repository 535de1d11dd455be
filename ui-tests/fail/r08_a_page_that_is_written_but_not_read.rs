// The encoding of W without R is reserved, so hardware may do anything with it. The constructor
// refuses it, in a constant when the constant is evaluated (E0080).

use lazy_mmu::riscv64::descriptor::{ACCESSED, DIRTY, GLOBAL, Leaf, WRITE};

const PAGE: Leaf = Leaf::page(0x8000_0000, WRITE | GLOBAL | ACCESSED | DIRTY);

fn main() {
    let _ = PAGE;
}
