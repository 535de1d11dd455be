// A pause that is forgotten would make every store of the section immediate to its end.
// The guard's name is the macro's own: the body cannot name it.

use lazy_mmu::lazy_mmu;

#[lazy_mmu(paused)]
fn map() {
    core::mem::forget(__pause);
}

fn main() {
    map();
}
