// A default for a missing method would be the wrong barrier for some machine.
// `Machine` does not have defaults: an implementation needs all methods (E0046).

use lazy_mmu::{Invalidation, Machine};

struct Forgetful;

// SAFETY: not needed, because the program does not compile.
unsafe impl Machine for Forgetful {
    fn barrier() {}
    fn invalidate(_: &[Invalidation]) {}
}

fn main() {}
