//! The crate beside the same state machine in C, and beside assembly written by hand: the functions
//! that are counted, and the tables on which they run. `lazy_mmu.c` and `forms.rs` are those of the
//! kernels for aarch64.

#![no_std]
#![expect(
    clippy::missing_errors_doc,
    clippy::missing_panics_doc,
    reason = "as in `lazy_mmu_qemu_riscv64`"
)]

pub mod arch;
#[path = "../../../qemu/beside_c/src/forms.rs"]
pub mod forms;
pub mod live;
