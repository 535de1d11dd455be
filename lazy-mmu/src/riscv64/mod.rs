//! The backend of RISC-V kernels, and the parts of the crate that are specific to RISC-V's tables.
//!
//! A RISC-V hart may cache an *invalid* entry. After a store that makes an entry valid, each hart
//! that may use the mapping therefore executes the *barrier* `sfence.vma x0, x0`. The other pages
//! of the crate call it the barrier pair, because it is two instructions on aarch64. A section
//! makes its stores at once, and executes one barrier for all.
//!
//! A kernel implements [`Kernel`], and [`Riscv64`] makes a [`Backend`](crate::Backend) of it. The
//! implementation names four types:
//!
//! * [`Task`](Kernel::Task) finds the structure of the current task: [`Tp`], or the kernel's own
//!   [`TaskPointer`]. [`MaybeNull`] wraps one that is null before the first task exists.
//! * [`Bits`](Kernel::Bits) finds the crate's four bits in that structure: [`FlagsAt`] or
//!   [`ByteAt`].
//! * [`Interrupt`](Kernel::Interrupt) recognises interrupt context: [`PreemptCountAt`], or the
//!   kernel's own [`InterruptTest`].
//! * [`Harts`](Kernel::Harts) reaches the other harts, because `sfence.vma` acts on one hart only:
//!   [`OneHart`], [`Sbi`], [`OnFault`], or the kernel's own [`Harts`](trait@Harts).
//!
//! The items for the first three are those of [`aarch64`](crate::aarch64), except [`Tp`]. This is
//! the shortest example. It is for a kernel with the flags and the preempt count of Linux's
//! `thread_info`. The page of [`Kernel`] has a complete one.
//!
//! ```
//! use core::mem::offset_of;
//! use core::sync::atomic::{AtomicU32, AtomicU64};
//! use lazy_mmu::riscv64::{self, FlagsAt, PreemptCountAt, Riscv64, Sbi, Tp};
//!
//! /// `tp` points to the `ThreadInfo` of the task that runs.
//! #[repr(C)]
//! struct ThreadInfo {
//!     flags: AtomicU64,
//!     preempt_count: AtomicU32,
//! }
//!
//! struct Kernel;
//!
//! // SAFETY: `tp` points to the running task's `ThreadInfo`, also in handlers. Only the crate uses
//! // bits 28 to 31 of the flags, and they are clear in a new task. The preempt count is Linux's.
//! // The firmware has the RFENCE extension, and waits for the harts. A context switch orders a
//! // task's stores for the next hart. The handler of a user's page fault calls
//! // `fix_spurious_fault` if the entry permits the access.
//! unsafe impl riscv64::Kernel for Kernel {
//!     type Task = Tp;
//!     type Bits = FlagsAt<{ offset_of!(ThreadInfo, flags) }, 28>;
//!     type Interrupt = PreemptCountAt<{ offset_of!(ThreadInfo, preempt_count) }, 0x00ff_ff00>;
//!     type Harts = Sbi;
//! }
//!
//! type Mmu = Riscv64<Kernel>;
//!
//! #[lazy_mmu::lazy_mmu(backend = Mmu)]
//! fn map_pages() {
//!     // The stores of this body, and of the functions that it calls, share barriers.
//! }
//! ```
//!
//! # What needs which fence
//!
//! | change of an entry | on each hart |
//! |---|---|
//! | V from 0 to 1, kernel's leaf or table | `sfence.vma x0, x0`: the barrier, deferred |
//! | V from 0 to 1, user's leaf or table | nothing: [the fault handler fences](descriptor#leaves) |
//! | a table is filled, before its link | `fence w, w`, by the hart that stores |
//! | V from 1 to 0, or permissions, of a leaf | `sfence.vma` with an address in the leaf |
//! | V from 1 to 0, or address, of a table entry | `sfence.vma x0, x0`, or with its ASID |
//! | a valid entry, to another valid one | the fences of both, without break-before-make |
//!
//! The source is the RISC-V privileged specification, "Supervisor Memory-Management Fence
//! Instruction". For the row of `fence w, w` it is Linux (`smp_wmb` in `pmd_install`). A right that
//! is only added may be fenced lazily, as a user's new page is. A fence with an ASID is enough only
//! if no entry on the path is global.
//!
//! The fence of a kernel's entry has x0 as its second operand. Every other register, even one that
//! holds 0, names an address space, and such a fence leaves global entries alone.
//!
//! An invalidation that names addresses does not have the effect of the barrier for other entries.
//! If a store awaits its barrier, one `sfence.vma x0, x0` on each hart replaces the invalidation
//! and the barrier. One round of fences costs less than two.
//!
//! # Beside the backend
//!
//! * [`descriptor`] has the types of table entries, and decides which stores need the barrier.
//! * [`Mode`] has the levels of Sv39, Sv48 and Sv57, and makes ranges of virtual addresses.
//! * [`unmap`] and its siblings take mappings away. They return the old entry only after its
//!   invalidation. [`replace`] exchanges valid entries.
//! * [`set_memory_valid`] takes pages out of the linear map, and puts them back.
//! * [`Tlbs`] plans the fences of an invalidation, with or without Svinval.
//!
//! In a program for RISC-V, [`LazyMmu`](crate::LazyMmu) has a method for each function that changes
//! entries, and [`Gather`](crate::Gather) has `unmap` and `unmap_table`. On another architecture
//! these methods are those of [`aarch64`](crate::aarch64), so tests on a host call the functions.
//!
//! The crate does not write `satp`, and does not allocate ASIDs. Before the kernel uses an ASID
//! again, and while no hart has it in `satp`, it calls [`invalidate`](crate::invalidate) for a page
//! with the ASID and [all levels](crate::Scope::ALL_LEVELS): `sfence.vma x0, asid` on each hart. A
//! write of `satp` needs its own `sfence.vma` ([`local_fence`]), if the tables or the ASID of the
//! new value were used otherwise before.
//!
//! # On other architectures
//!
//! The module builds on every architecture, because a kernel's developers check and document its
//! code on their own machines. The functions that read a register or execute a fence panic there.

mod barriers;
pub mod descriptor;
mod harts;
mod kernel;
mod mode;
mod on_fault;
mod taking_away;
mod task_pointer;
mod tlb;

pub use barriers::{local_fence, table_barrier};
pub use harts::{Harts, OneHart, RemoteFence, Sbi};
pub use kernel::{Kernel, Riscv64, fix_spurious_fault};
pub use mode::Mode;
pub use on_fault::{HartFlags, OnFault};
pub use taking_away::{
    break_before_make, replace, set_memory_valid, unmap, unmap_range, unmap_range_into, unmap_table,
};
pub use task_pointer::Tp;
pub use tlb::{Fence, MAX_OPS, Operands, Tlbs};

#[doc(inline)]
pub use crate::__riscv64_check_new_mappings as check_new_mappings;
pub use crate::protocol::place::{
    BitsAt, ByteAt, FlagsAt, InterruptTest, MaybeNull, PreemptCountAt, TaskPointer,
};
