//! The crate beside the same state machine in C, and beside assembly written by hand: the functions
//! that are counted, and the tables on which they run.

#![no_std]
#![expect(
    clippy::missing_errors_doc,
    clippy::missing_panics_doc,
    reason = "as in `lazy_mmu_qemu`"
)]

pub mod arch;
pub mod forms;
pub mod live;
pub mod pmu;
