// There is nothing to put into a section; an implementation would have none, and its author would believe that it had.
// The attribute refuses it, on the semicolon.

use lazy_mmu::lazy_mmu;

trait Map {
    #[lazy_mmu]
    fn map(&self);
}

fn main() {}
