//! The crate beside the same protocol in C, and beside assembly written by hand: what is counted,
//! and on what.

#![no_std]
#![expect(
    clippy::missing_errors_doc,
    clippy::missing_panics_doc,
    reason = "as in `lazy_mmu_qemu`"
)]

pub mod forms;
pub mod live;
pub mod pmu;
