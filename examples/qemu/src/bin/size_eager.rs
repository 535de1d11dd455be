//! The memory manager with the mode off: only stores and barriers. `cargo xtask qemu` compares the
//! size of its text with that of `size_lazy`.

#![no_std]
#![no_main]

use lazy_mmu::Eager;
use lazy_mmu_qemu::thread::Mmu;
use lazy_mmu_qemu::working_set;

lazy_mmu_qemu::program!(working_set::run::<Eager<Mmu>>);
