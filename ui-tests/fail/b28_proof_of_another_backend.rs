// The other backend's section has flushed its own bits, not those that say whether this mapping is pending.
// Mappings and proofs carry their backend (E0308).

use lazy_mmu::Task;
use lazy_mmu::sim::{Sim, SimOwnByte};

fn redeem(one: &mut Task<Sim>, other: &mut Task<SimOwnByte>) -> u32 {
    let proof = other.enter().leave();
    one.enter().pending(1).get(&proof)
}

fn main() {}
