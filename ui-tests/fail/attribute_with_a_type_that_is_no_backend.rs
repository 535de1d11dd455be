// A type that is not a backend has neither bits nor barriers. The pair of its stores would be lost.
// `backend` must name a `Backend`, and the error lists the backends (E0277).

use lazy_mmu::lazy_mmu;

struct Kernel;

#[lazy_mmu(backend = Kernel)]
fn map() {}

fn main() {
    map();
}
