// Stores through `mmu` in a body that is paused would be a promise to defer what must not be deferred.
// The attribute refuses the second of the two, on its token.

use lazy_mmu::lazy_mmu;

#[lazy_mmu(mmu, paused)]
fn map() {}

#[lazy_mmu(paused, mmu = section)]
fn unmap() {}

fn main() {
    (map(), unmap());
}
