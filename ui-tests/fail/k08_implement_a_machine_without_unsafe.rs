// Every barrier depends on the machine, and safe code could implement a wrong one.
// `Machine` is an unsafe trait, whose implementer promises the contract (E0200).

use lazy_mmu::{Invalidation, Machine};

struct Careless;

impl Machine for Careless {
    fn barrier() {}
    fn table_barrier() {}
    fn invalidate(_: &[Invalidation]) {}
    fn invalidate_all() {}
}

fn main() {}
