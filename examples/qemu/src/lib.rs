//! What the kernels share: boot, exceptions, the single-step handler, and the machine for the memory manager.
//!
//! QEMU's `virt` board, EL1 or EL2 (as a host with FEAT_VHE), MMU on. The image runs in an identity map of TTBR0; the tables that the memory
//! manager builds are the live tables of TTBR1, and the MMU walks them.

#![no_std]
#![cfg(all(target_arch = "aarch64", target_os = "none"))]

pub mod access;
#[cfg(feature = "el1")]
pub mod arena;
pub mod boot;
pub mod exceptions;
pub mod exclusive;
#[cfg(feature = "c-form")]
pub mod forms;
pub mod interrupts;
#[cfg(feature = "el1")]
pub mod ledger;
#[cfg(feature = "c-form")]
pub mod live;
#[cfg(feature = "el1")]
pub mod mapper;
#[cfg(feature = "c-form")]
pub mod pmu;
pub mod pool;
pub mod program;
#[cfg(feature = "el1")]
pub mod rows;
#[cfg(feature = "el1")]
pub mod scheduler;
#[cfg(feature = "el1")]
pub mod smp;
pub mod step;
pub mod thread;
#[cfg(feature = "el1")]
pub mod translate;
#[cfg(feature = "el1")]
pub mod upper;
#[cfg(feature = "el1")]
pub mod virt;
#[cfg(feature = "el1")]
pub mod working_set;
#[cfg(feature = "el1")]
pub mod writes;
