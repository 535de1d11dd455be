// The body could forget the guard, and the section would not be left.
// The name of the guard has the hygiene of the macro, and the body cannot see it (E0425).

use lazy_mmu::lazy_mmu;

#[lazy_mmu]
fn forget() {
    core::mem::forget(__section);
}

fn main() {}
