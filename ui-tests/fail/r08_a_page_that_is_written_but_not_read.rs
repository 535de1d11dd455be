// W without R is a reserved encoding. A constant with it does not compile.

use lazy_mmu::riscv64::descriptor::{ACCESSED, DIRTY, GLOBAL, Leaf, WRITE};

const PAGE: Leaf = Leaf::page(0x8000_0000, WRITE | GLOBAL | ACCESSED | DIRTY);

fn main() {
    let _ = PAGE;
}
