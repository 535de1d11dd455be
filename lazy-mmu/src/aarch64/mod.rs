//! The backend of aarch64 kernels: the bits in the current task's `thread_info`, the real barriers.
//!
//! A kernel says where its current task's structure is ([`SpEl0`], [`TpidrEl1`], [`TpidrEl2`], or
//! its own [`TaskPointer`]; [`MaybeNull`] of one, if it is null at first), at which offset its bits
//! are ([`FlagsAt`], [`ByteAt`]), and how to tell an interrupt ([`PreemptCountAt`], or its own
//! [`InterruptTest`]):
//!
//! ```
//! use core::mem::offset_of;
//! use core::sync::atomic::{AtomicU32, AtomicU64};
//! use lazy_mmu::aarch64::{self, Aarch64, FlagsAt, PreemptCountAt, SpEl0};
//!
//! /// What SP_EL0 points to while a task runs.
//! #[repr(C)]
//! struct ThreadInfo {
//!     flags: AtomicU64,
//!     preempt_count: AtomicU32,
//! }
//!
//! struct Kernel;
//!
//! // SAFETY: SP_EL0 points to the running task's `ThreadInfo`, also in handlers; the flags' bits 28 to 31 are
//! // nobody else's, and clear in a new task; the preempt count is Linux's; a context switch executes `dsb ish`
//! // on the old CPU and `isb` on the new one.
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
//!     // stores
//! }
//! ```
//!
//! The module builds everywhere, so that a kernel's code can be checked and documented on its
//! developers' machines; off aarch64 the registers and barriers panic.
//!
//! # Taking away, and atomic updates
//!
//! [`unmap`](LazyMmu::unmap) and its siblings give the old entry back only after its invalidation,
//! and [`break_before_make`](LazyMmu::break_before_make) cannot be done in another order. The
//! functions of the same names are for code without a section in hand. [`update`] has the atomic
//! updates: they race with the hardware, which notes accesses and writes in the entries.

mod barriers;
pub mod contiguous;
pub mod descriptor;
pub mod errata;
mod granule;
mod kernel;
mod place;
mod taking_away;
mod tlb;
pub mod update;

pub use barriers::{barrier_pair, table_barrier};
pub use granule::{Granule, PAGE_LEVEL};
pub use kernel::{Aarch64, El1, Kernel};
pub use place::{
    BitsAt, ByteAt, FlagsAt, InterruptTest, MaybeNull, PreemptCountAt, SpEl0, TaskPointer,
    TpidrEl1, TpidrEl2,
};
pub use taking_away::{break_before_make, unmap, unmap_range, unmap_range_into, unmap_table};
pub use tlb::{Form, MAX_TLBI_OPS, Regime, Tlbi, Tlbs};

#[cfg(doc)]
use crate::LazyMmu;
