// Without a body there is no section, though the author believes that each implementation has one.
// The attribute refuses the method, on its semicolon.

use lazy_mmu::lazy_mmu;

trait Map {
    #[lazy_mmu]
    fn map(&self);
}

fn main() {}
