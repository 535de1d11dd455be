// A backend that the program made up would be trusted with every barrier.
// `Backend` is an unsafe trait: its author promises (E0200).

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
