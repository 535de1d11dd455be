// One section is enough for a function. The second attribute is a mistake.
// The attribute refuses a second attribute, on its path.

use lazy_mmu::lazy_mmu;
use lazy_mmu::sim::Sim;

#[lazy_mmu(backend = Sim)]
#[lazy_mmu::lazy_mmu(backend = Sim)]
fn map() {}

fn main() {
    map();
}
