// The section would be used after its leave, and the pairs of later stores could be lost. The
// closure must accept any lifetime of its section, which a variable outside cannot hold (E0521).

use std::cell::RefCell;

use lazy_mmu::sim::Sim;

fn main() {
    let kept = RefCell::new(Vec::new());
    lazy_mmu::with::<Sim, _>(|mmu| kept.borrow_mut().push(mmu));
}
