//! What the kernels share: boot, exceptions, the single-step handler, and the machine for the memory manager.
//!
//! QEMU's `virt` board, EL1 or EL2 (as a host with FEAT_VHE), MMU on. The image runs in an identity
//! map of TTBR0; the tables that the memory manager builds are the live tables of TTBR1, and the
//! MMU walks them.
//!
//! Each function is a part of a test: it returns the error of the memory manager, or panics where a
//! row does not hold or the machine is another one. Both end the program, and `cargo xtask qemu`
//! shows what they say.
//!
//! `cargo xtask qemu` runs the programs. What each prints stands in the file of its name,
//! `other_writes.txt` for example.

#![no_std]
#![expect(
    clippy::missing_errors_doc,
    clippy::missing_panics_doc,
    reason = "the head of this file says what errors and panics mean"
)]

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
