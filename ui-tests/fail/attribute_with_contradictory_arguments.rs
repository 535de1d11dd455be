// Stores through `mmu` would promise to be deferred, but a paused body does not defer.
// The attribute refuses the second of the two arguments, on its token.

use lazy_mmu::lazy_mmu;

#[lazy_mmu(mmu, paused)]
fn map() {}

#[lazy_mmu(paused, mmu = section)]
fn unmap() {}

fn main() {
    (map(), unmap());
}
