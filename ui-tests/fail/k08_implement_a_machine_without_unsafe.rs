// A machine that the program made up would be trusted with every barrier.
// `Machine` is an unsafe trait: its author promises (E0200).

use lazy_mmu::{Invalidation, Machine};

struct Careless;

impl Machine for Careless {
    fn barrier() {}
    fn table_barrier() {}
    fn invalidate(_: &[Invalidation]) {}
    fn invalidate_all() {}
}

fn main() {}
