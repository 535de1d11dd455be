// If the pause were forgotten, each later store of the enclosing section would be immediate.
// The name of the guard has the hygiene of the macro, and the body cannot see it (E0425).

use lazy_mmu::lazy_mmu;

#[lazy_mmu(paused)]
fn map() {
    core::mem::forget(__pause);
}

fn main() {
    map();
}
