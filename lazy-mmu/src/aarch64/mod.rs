//! The backend of aarch64 kernels, and the parts of the crate that are specific to Arm's tables.
//!
//! A kernel implements [`Kernel`], and [`Aarch64`] makes a [`Backend`](crate::Backend) of it. The
//! implementation names three types:
//!
//! * [`Task`](Kernel::Task) finds the structure of the current task: [`SpEl0`], [`TpidrEl1`],
//!   [`TpidrEl2`], or the kernel's own [`TaskPointer`]. [`MaybeNull`] wraps one that is null before
//!   the first task exists.
//! * [`Bits`](Kernel::Bits) finds the crate's four bits in that structure: [`FlagsAt`] or
//!   [`ByteAt`].
//! * [`Interrupt`](Kernel::Interrupt) recognises interrupt context: [`PreemptCountAt`], or the
//!   kernel's own [`InterruptTest`].
//!
//! This is the shortest example. It is for a kernel with the flags and the preempt count of Linux's
//! `thread_info`. The page of [`Kernel`] has a complete one.
//!
//! ```
//! use core::mem::offset_of;
//! use core::sync::atomic::{AtomicU32, AtomicU64};
//! use lazy_mmu::aarch64::{self, Aarch64, FlagsAt, PreemptCountAt, SpEl0};
//!
//! /// SP_EL0 points to the `ThreadInfo` of the task that runs.
//! #[repr(C)]
//! struct ThreadInfo {
//!     flags: AtomicU64,
//!     preempt_count: AtomicU32,
//! }
//!
//! struct Kernel;
//!
//! // SAFETY: SP_EL0 points to the running task's `ThreadInfo`, also in handlers. Only the crate
//! // uses bits 28 to 31 of the flags, and they are clear in a new task. The preempt count is
//! // Linux's. A context switch executes `dsb ish` on the old CPU and `isb` on the new one.
//! unsafe impl aarch64::Kernel for Kernel {
//!     type Task = SpEl0;
//!     type Bits = FlagsAt<{ offset_of!(ThreadInfo, flags) }, 28>;
//!     type Interrupt = PreemptCountAt<{ offset_of!(ThreadInfo, preempt_count) }, 0x00ff_ff00>;
//! }
//!
//! type Mmu = Aarch64<Kernel>;
//!
//! #[lazy_mmu::lazy_mmu(backend = Mmu)]
//! fn map_pages() {
//!     // The stores of this body, and of the functions that it calls, share barrier pairs.
//! }
//! ```
//!
//! # Beside the backend
//!
//! * [`descriptor`] has the types of table entries, and decides which stores need the barrier pair.
//! * [`Granule`] has the page sizes, and makes ranges of virtual addresses.
//! * [`LazyMmu::unmap`] and its siblings remove mappings. They return the old entry only after its
//!   TLB invalidation. [`unmap`] and its siblings do the same for code that does not hold a
//!   guard.
//! * [`LazyMmu::break_before_make`] replaces a valid entry in the order that the architecture
//!   demands.
//! * [`update`] has the atomic updates of valid entries, in which the hardware may set the access
//!   flag and the dirty state at any time.
//! * [`contiguous`] changes groups of entries with the Contiguous bit.
//! * [`Tlbs`] executes TLB invalidation instructions, and [`errata`] lists the CPUs on which an
//!   invalidation must be repeated.
//!
//! # On other architectures
//!
//! The module builds on every architecture, because a kernel's developers check and document its
//! code on their own machines. The functions that read a register or execute a barrier panic there.

mod barriers;
pub mod contiguous;
pub mod descriptor;
pub mod errata;
mod granule;
mod kernel;
mod taking_away;
mod task_pointer;
mod tlb;
pub mod update;

pub use barriers::{barrier_pair, table_barrier};
pub use granule::{Granule, PAGE_LEVEL};
pub use kernel::{Aarch64, El1, Kernel};
pub use taking_away::{break_before_make, unmap, unmap_range, unmap_range_into, unmap_table};
pub use task_pointer::{SpEl0, TpidrEl1, TpidrEl2};
pub use tlb::{Form, MAX_TLBI_OPS, Regime, Tlbi, Tlbs};

pub use crate::protocol::place::{
    BitsAt, ByteAt, FlagsAt, InterruptTest, MaybeNull, PreemptCountAt, TaskPointer,
};

#[cfg(doc)]
use crate::LazyMmu;
