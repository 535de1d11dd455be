// A thread that is interrupted or moves to another hart between the clear of the flag and the fence
// loses the fence. The caller of `OnFault::check` promises that interrupts are masked (E0133).

use lazy_mmu::riscv64::{HartFlags, OnFault, Sbi};

fn switch<F: HartFlags>() {
    OnFault::<F, Sbi>::check();
}

fn main() {}
