// There would be no bits and no barrier: the stores would be deferred to nobody's leave.
// `backend` wants a `Backend`, and the error names those there are (E0277).

use lazy_mmu::lazy_mmu;

struct Kernel;

#[lazy_mmu(backend = Kernel)]
fn map() {}

fn main() {
    map();
}
