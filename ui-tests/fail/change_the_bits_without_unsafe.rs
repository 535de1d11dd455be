// Clearing PENDING loses the pair; setting ACTIVE leaves the mode on.
// Only the state machine changes the bits: `set` and `clear` are unsafe (E0133).

use lazy_mmu::sim::Sim;
use lazy_mmu::{Backend, Bits, Storage};

fn main() {
    Sim::current().clear(Bits::EMPTY, Bits::PENDING);
    Sim::current().set(Bits::EMPTY, Bits::ACTIVE);
}
