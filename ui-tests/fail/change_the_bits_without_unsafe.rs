// Clearing PENDING would lose the pair. Setting ACTIVE would leave the mode on.
// Only the state machine may change the bits: `set` and `clear` are unsafe (E0133).

use lazy_mmu::sim::Sim;
use lazy_mmu::{Backend, Bits, Storage};

fn main() {
    Sim::current().clear(Bits::EMPTY, Bits::PENDING);
    Sim::current().set(Bits::EMPTY, Bits::ACTIVE);
}
