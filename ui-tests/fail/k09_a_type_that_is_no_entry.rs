// A store into a type that is not an entry of 64 bits could be torn, or write its neighbour.
// The note says which trait to implement, and that `write_ptr` takes an address (E0277).

use lazy_mmu::aarch64::descriptor::Leaf;
use lazy_mmu::sim::Sim;

struct Entry(u64);

fn main() {
    let mut table = [const { Entry(0) }; 512];
    lazy_mmu::write::<Sim, _>(&mut table[0], Leaf::INVALID);
    let slot: *mut u64 = &mut table[1].0;
    lazy_mmu::write::<Sim, _>(slot, Leaf::INVALID);
}
