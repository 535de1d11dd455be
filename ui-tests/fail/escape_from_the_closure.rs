// The section would be used after it was left: its stores would be deferred for ever.
// The closure must work for any lifetime of the section, so nothing outside can hold it (E0521).

use lazy_mmu::sim::Sim;

fn main() {
    let mut escaped = None;
    lazy_mmu::with::<Sim, _>(|mmu| escaped = Some(mmu));
    drop(escaped);
}
