// A naked function is its assembly: a guard before it would be lost, or would spoil its registers.
// The attribute refuses it, on `naked`, and says where to put it instead.

use lazy_mmu::lazy_mmu;

#[lazy_mmu]
#[unsafe(naked)]
extern "C" fn vector() {
    core::arch::naked_asm!("ret")
}

fn main() {
    vector();
}
