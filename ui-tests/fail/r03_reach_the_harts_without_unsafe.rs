// Whether another hart sees a mapping depends on the implementation. `Harts` is an unsafe trait,
// whose implementer promises this (E0200).

use lazy_mmu::Invalidation;
use lazy_mmu::riscv64::Harts;

struct Forgetful;

impl Harts for Forgetful {
    fn fence() {}
    fn invalidate(_: &[Invalidation]) {}
    fn invalidate_all() {}
}

fn main() {}
