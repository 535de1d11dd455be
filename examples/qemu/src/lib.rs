//! The library of the kernels: boot, exceptions, single steps, and the memory manager's machine.
//!
//! The kernels run on QEMU's `virt` board, at EL1 or at EL2 (as a host with FEAT_VHE), with the MMU
//! on. The image runs in an identity map of TTBR0. The memory manager builds the live tables of
//! TTBR1, which the MMU walks.
//!
//! Each function is a part of a test. It returns an error of the memory manager, and panics if a
//! behaviour does not hold or the machine is not the expected one. Both end the program, and `cargo
//! xtask qemu` shows the message.
//!
//! `cargo xtask qemu` runs the programs. The expected output of a program is in the file of its
//! name, `other_writes.txt` for example.

#![no_std]
#![expect(
    clippy::missing_errors_doc,
    clippy::missing_panics_doc,
    reason = "the documentation of the crate explains them"
)]

pub mod access;
pub mod boot;
pub mod exceptions;
pub mod exclusive;
pub mod interrupts;
pub mod pool;
pub mod registers;
pub mod rows;
pub mod smp;
pub mod step;
pub mod switch;
pub mod thread;
pub mod translate;
pub mod upper;
pub mod working_set;

#[path = "../../kernels/mod.rs"]
mod shared;
pub use shared::*;

#[doc(hidden)]
pub use aarch64_rt;
