// The function would promise a visible mapping, and return an address without its barrier pair.
// `visible` takes a closure that returns a pending mapping (E0308).

use lazy_mmu::sim::Sim;

fn main() {
    let _address: u64 = lazy_mmu::visible::<Sim, u64>(|mmu| {
        mmu.note_store();
        0xffff_8000_0000_0000
    });
}
