//! The library of the RISC-V kernels: boot, traps, several harts, and the memory manager's machine.
//!
//! The kernels run on QEMU's `virt` board in S mode, with OpenSBI below them. Their first word of
//! the command line chooses Sv39 or Sv48. The memory manager builds the live tables of the upper
//! half, which the MMU walks. The image runs at its physical addresses, in the identity map of the
//! lower half.
//!
//! QEMU 7.2 does not offer a RISC-V kernel a single step. The kernels mark the operations of
//! interest, and the observer records their stores and fences ([`steps`]).
//!
//! Each function is a part of a test. It returns an error of the memory manager, and panics if a
//! behaviour does not hold or the machine is not the expected one. Both end the program, and `cargo
//! xtask qemu` shows the message.
//!
//! `cargo xtask qemu` runs the programs. The expected output of a program is in the file of its
//! name, `nested_sections.txt` for example.

#![no_std]
#![expect(
    clippy::missing_errors_doc,
    clippy::missing_panics_doc,
    reason = "the documentation of the crate explains them"
)]

pub mod access;
pub mod boot;
pub mod hart;
pub mod interrupts;
pub mod policy;
pub mod registers;
pub mod smp;
pub mod steps;
pub mod switch;
pub mod thread;
pub mod traps;
pub mod upper;

#[path = "../../kernels/mod.rs"]
mod shared;
pub use shared::*;
