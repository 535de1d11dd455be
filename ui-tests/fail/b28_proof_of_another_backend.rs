// The other backend's section flushes its own bits. Other bits record that this mapping's pair is
// pending. The types of mappings and proofs contain the backend (E0308).

use lazy_mmu::Task;
use lazy_mmu::sim::{Sim, SimOwnByte};

fn redeem(one: &mut Task<Sim>, other: &mut Task<SimOwnByte>) -> u32 {
    let proof = other.enter().leave();
    one.enter().pending(1).get(&proof)
}

fn main() {}
