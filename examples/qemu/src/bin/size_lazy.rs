//! The memory manager, with the mode on. `cargo xtask qemu` compares the size of its text with that of the other one.

#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(not(target_os = "none"))]
include!("../host.rs");

#[cfg(target_os = "none")]
mod kernel {
    use aarch64_rt::entry;
    use lazy_mmu_qemu::thread::Mmu;
    use lazy_mmu_qemu::{program, working_set};

    entry!(main);
    fn main(_: u64, _: u64, _: u64, _: u64) -> ! {
        program::run(working_set::run::<Mmu>)
    }
}
