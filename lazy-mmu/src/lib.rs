//! Lazy MMU sections: deferred, nested, never lost page-table barriers, checked by the type system.
//!
//! On aarch64 a store that makes a kernel page-table entry valid must be followed by `dsb ishst; isb` before the new
//! mapping is used. Doing that per entry is slow. In a *lazy MMU section* the pair is deferred to the section's end.
//! Sections nest without their authors knowing it: a function that changes mappings frees a page, the allocator
//! unmaps that page from the linear map, and so opens a section inside a section. Each leave emits the pair if
//! one is due, and only the outermost ends the mode.
//!
//! In C nothing makes a function keep the state that `enter` returned, pass it to the matching `leave`, once, in
//! order, on the same thread. Here the types do.
//!
//! # For authors of page-table code
//!
//! Put the attribute on a function that stores descriptors; it opens a section for the body, and closes it on every
//! way out:
//!
//! ```
//! use core::sync::atomic::AtomicU64;
//! use lazy_mmu::descriptor::{KERNEL_DATA, Leaf, memory_type};
//! use lazy_mmu::lazy_mmu;
//! # use lazy_mmu::sim::Sim as Kernel;
//!
//! /// Data in normal memory, if the kernel has that in the byte 1 of MAIR_EL1.
//! const NORMAL: u64 = KERNEL_DATA | memory_type(1);
//!
//! #[lazy_mmu(backend = Kernel, mmu)]
//! fn map_pages(slots: &[AtomicU64], first: u64) {
//!     mmu.write_range(slots, |i| Leaf::page(first + 4096 * i as u64, NORMAL));
//! }
//! # map_pages(&[const { AtomicU64::new(0) }; 8], 0);
//! # assert_eq!(lazy_mmu::sim::pairs(&lazy_mmu::sim::take_trace()), 1);
//! ```
//!
//! The three ways in, from the most checked at compile time to the least:
//!
//! | way | the guard | for |
//! |---|---|---|
//! | [`Task::enter`], [`LazyMmu::nest`] | owned; the nesting is a type | code that has the task's handle, or a section |
//! | [`with`] | borrowed by the closure | a part of a function |
//! | the attribute `#[lazy_mmu]` | hidden, or `mmu` | a whole function |
//!
//! Code that has no section in hand stores with [`write()`]; inside a section of its caller it is deferred with it.
//! A function that *wants* to defer into its caller's section takes `&mut LazyMmu<..>`.
//!
//! # For kernels
//!
//! The state is four bits per thread: *active*, *pending*, *paused*, *owned*. A kernel says where
//! they are and how to recognise that the CPU is in interrupt context: with the configuration of
//! [`aarch64`], or with a [`Backend`] of its own (20 lines). Name the backend where you use it
//! (`backend = ..`, inlined), or register it once for the program with [`set_global_backend!`], so
//! that libraries need not know it ([`Global`]).
//!
//! # For libraries
//!
//! Leave the backend out, and use the attribute, [`with::<Global, _>`](with) or `&mut LazyMmu<'_, L>` where
//! `L: `[`Nesting`]. The final binary registers it.
//!
//! # Barriers
//!
//! *Pair* means `dsb ishst`, then `isb`. Which stores need it is the matter of [`descriptor`]; how a section defers
//! it, of [`raw`]. A lock that is taken inside an annotated body is released before the pair is emitted; a lock that the caller
//! holds, or that is a parameter, after it.
//!
//! # Taking away, and the other writes
//!
//! [`tlb`] has the invalidations, which settle what is pending; [`LazyMmu::unmap`] gives what was mapped back only after
//! its invalidation, and [`LazyMmu::break_before_make`] cannot be done in another order. Writes that are not plain stores
//! (atomic, never deferred, at boot, block to table, the linear map) are in [`update`].
//!
//! # What is promised
//!
//! [`soundness`] lists it: what the compiler refuses, what the state machine handles at run time, and what is your duty.
//!
//! # Pauses, and mappings that wait for their barrier
//!
//! [`LazyMmu::paused`] and [`paused()`] make stores immediate for a stretch of code. A function that
//! maps in its caller's section returns a [`Pending`] mapping, which only a flush or leave of that section redeems; one that
//! opens the section itself returns it [`visible()`].
//!
//! # Features
//!
//! * `macros` (default): the attribute.
//! * `sim`: the hosted backend, with `std`: an event trace, simulated interrupts and tasks.

#![no_std]

pub mod aarch64;
pub mod contiguous;
pub mod descriptor;
pub mod raw;
#[cfg(feature = "sim")]
pub mod sim;
pub mod soundness;
pub mod tlb;
pub mod update;

#[cfg(feature = "macros")]
mod attribute;
mod backend;
mod bits;
mod eager;
mod global;
mod granule;
mod nesting;
mod pause;
mod section;
mod store;
mod task;
mod unmap;
mod visible;

pub use backend::{Backend, Event};
pub use bits::{Bits, OwnByte, SharedWord, Storage};
pub use eager::Eager;
pub use global::Global;
pub use nesting::{Dynamic, Nested, Nesting, Outer};
pub use pause::paused;
pub use section::{LazyMmu, with};
pub use store::{flush, is_active, note_store, note_stores, write, write_ptr};
pub use task::{NotIdle, Task, check_idle};
pub use unmap::{AfterInvalidation, Unmapped};
pub use visible::{Pending, Visible, try_visible, visible};

#[cfg(feature = "macros")]
pub use attribute::lazy_mmu;

/// What the macros expand to. Not for users: these names change without notice.
#[doc(hidden)]
pub mod __private {
    pub use crate::global::Registered;
    pub use crate::pause::pause;
    pub use crate::section::{section, view};
}

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
