// The section would be used after its leave, and the pairs of later stores could be lost. The
// closure must accept any lifetime of its section, which a variable outside cannot hold (E0521).

use lazy_mmu::sim::Sim;

fn main() {
    let mut escaped = None;
    lazy_mmu::with::<Sim, _>(|mmu| escaped = Some(mmu));
    drop(escaped);
}
