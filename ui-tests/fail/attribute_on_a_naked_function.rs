// A naked function consists of its assembly. A guard before the assembly would spoil its registers.
// The attribute refuses the function, on `naked`, and says which function should have it.

use lazy_mmu::lazy_mmu;

#[lazy_mmu]
#[unsafe(naked)]
extern "C" fn vector() {
    core::arch::naked_asm!("ret")
}

fn main() {
    vector();
}
