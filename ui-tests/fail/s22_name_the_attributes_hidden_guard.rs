// The body could forget the guard, and the section would never be left.
// The guard's name belongs to the macro: the body cannot see it (E0425).

use lazy_mmu::lazy_mmu;

#[lazy_mmu]
fn forget() {
    core::mem::forget(__section);
}

fn main() {}
