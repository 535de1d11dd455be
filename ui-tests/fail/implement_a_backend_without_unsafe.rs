// Every barrier depends on the backend, and safe code could implement a wrong one.
// `Backend` is an unsafe trait, whose implementer promises the contract (E0200).

use lazy_mmu::sim::Sim;
use lazy_mmu::Backend;

struct Careless;

impl Backend for Careless {
    type Storage = <Sim as Backend>::Storage;
    type Machine = Sim;
    fn current() -> Self::Storage {
        Sim::current()
    }
    fn in_interrupt() -> bool {
        false
    }
}

fn main() {}
