// A wrapper replaces barriers of the inner backend, and safe code could lose them.
// `Wrapper` is an unsafe trait, whose implementer promises the contract (E0200).

use lazy_mmu::sim::Sim;
use lazy_mmu::Wrapper;

struct Careless;

impl Wrapper for Careless {
    type Inner = Sim;
    fn barrier() {}
}

fn main() {}
