// The section would be used after it was left: its stores would be deferred for ever.
// The closure must work for any lifetime of the section, so nothing outside can hold it (E0521).

use std::cell::RefCell;

use lazy_mmu::sim::Sim;

fn main() {
    let kept = RefCell::new(Vec::new());
    lazy_mmu::with::<Sim, _>(|mmu| kept.borrow_mut().push(mmu));
}
