// A method of a machine that is not written would be somebody else's barrier, or none.
// All of them must be there (E0046).

use lazy_mmu::{Invalidation, Machine};

struct Forgetful;

// SAFETY: it is not.
unsafe impl Machine for Forgetful {
    fn barrier() {}
    fn invalidate(_: &[Invalidation]) {}
}

fn main() {}
