//! The memory manager with the mode on. `cargo xtask qemu` compares its text with `size_eager`'s.

#![no_std]
#![no_main]

use lazy_mmu_qemu::thread::Mmu;
use lazy_mmu_qemu::working_set;

lazy_mmu_qemu::program!(working_set::run::<Mmu>);
