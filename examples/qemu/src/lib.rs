//! What the kernels share: boot, exceptions, the single-step handler, and the machine for the memory manager.
//!
//! QEMU's `virt` board, EL1 or EL2 (as a host with FEAT_VHE), MMU on. The image runs in an identity map of TTBR0; the
//! tables that the memory manager builds are the live tables of TTBR1, and the MMU walks them.
//!
//! `cargo xtask qemu` runs the programs. What each prints stands in the file of its name, `other_writes.txt` for example.

#![no_std]

pub mod access;
pub mod arena;
pub mod boot;
pub mod exceptions;
pub mod exclusive;
pub mod interrupts;
pub mod ledger;
pub mod mapper;
pub mod pool;
pub mod program;
pub mod rows;
pub mod scheduler;
pub mod smp;
pub mod step;
pub mod tasks;
pub mod thread;
pub mod translate;
pub mod upper;
pub mod virt;
pub mod working_set;

#[doc(hidden)]
pub use aarch64_rt;
