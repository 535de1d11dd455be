//! Lazy MMU sections: deferred, nested, never lost page-table barriers, checked by the type system.
//!
//! On aarch64 a store that makes a kernel page-table entry valid must be followed by `dsb ishst;
//! isb` (the *pair*) before the new mapping is used. Doing that per entry is slow. In a *lazy MMU
//! section* the pair is deferred to the section's end. Sections nest without their authors knowing
//! it: a function that changes mappings frees a page, the allocator unmaps that page from the
//! linear map, and so opens a section inside a section. Each leave emits the pair if one is due,
//! and only the outermost ends the mode.
//!
//! In C nothing makes a function keep the state that `enter` returned, pass it to the matching
//! `leave`, once, in order, on the same thread. Here the types do.
//!
//! # For authors of page-table code
//!
//! Put the attribute on a function that stores descriptors. It opens a section for the body, and
//! closes it on every way out:
//!
//! ```
//! use core::sync::atomic::AtomicU64;
//! use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf, memory_type};
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
//! The ways into a section, from the most checked at compile time to the least:
//!
//! | way | the guard | for |
//! |---|---|---|
//! | [`Task::enter`], [`LazyMmu::nest`] | owned; the nesting is a type | code that has the task's handle, or a section |
//! | [`with`], [`join`] | borrowed by the closure | a part of a function |
//! | the attribute `#[lazy_mmu]` | hidden, or `mmu` | a whole function |
//!
//! Code without a section in hand stores with [`write()`] and [`write_range`]; inside a section of
//! its caller the stores are deferred with it. A function that *wants* to defer into its caller's
//! section takes `&mut LazyMmu<..>`, or [joins](join) it.
//!
//! # For kernels
//!
//! The state is four bits per thread: *active*, *pending*, *paused*, *owned*. A kernel says where
//! they are and how to recognise that the CPU is in interrupt context: with the configuration of
//! [`aarch64`], or with a [`Backend`] of its own (15 lines). Name the backend where you use it
//! (`backend = ..`, inlined), or register it once for the program with [`set_global_backend!`], so
//! that libraries need not know it ([`Global`]).
//!
//! Backends besides: [`Eager`] (the mode switched off, or a machine that needs no barrier),
//! [`Wrapped`] (one that changes a method of another), [`Unreached`] (tables that no walker reaches
//! yet).
//!
//! # For libraries
//!
//! Leave the backend out, and use the attribute, [`with::<Global, _>`](with) or `&mut LazyMmu<'_,
//! L>` where `L: `[`Nesting`]. The final binary registers it.
//!
//! # Barriers
//!
//! [`aarch64::descriptor`] says which stores need the pair, and [`raw`] how a section defers it. A
//! lock guard created inside an annotated body drops **before** the pair; one passed in, or held by
//! the caller, drops after it.
//!
//! # Taking away, and the other writes
//!
//! A mapping that is taken away needs a TLB [invalidation](invalidate), which does what the pair
//! does, and more. [`LazyMmu::unmap`] returns the old entry, locked as [`Unmapped`] until its
//! invalidation; [`gather()`] collects any number of them for one invalidation; and
//! [`LazyMmu::break_before_make`] cannot be done in another order. [`write_sync`], [`write_nosync`]
//! and [`link_table`] are stores with other barriers; [`aarch64::update`] has the atomic updates.
//!
//! # What is promised
//!
//! [`soundness`] lists it: what the compiler refuses, what the state machine handles at run time,
//! and what is your duty.
//!
//! # Pauses, and mappings that wait for their barrier
//!
//! [`LazyMmu::paused`] and [`paused()`] make stores immediate for a stretch of code. A function
//! that maps in its caller's section returns a [`Pending`] mapping, which only a flush or leave of
//! that section redeems. A function that opens its own section uses [`visible()`] and returns the
//! value ready for use.
//!
//! # Features
//!
//! * `macros` (default): the attribute.
//! * `sim`: the hosted backend, with `std`: an event trace, simulated interrupts and tasks.

#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(all(feature = "sim", target_os = "none", not(docsrs)))]
compile_error!(
    "the feature `sim` of `lazy-mmu` needs `std`: enable it for tests on the host only, \
     under `[dev-dependencies]`"
);

pub mod aarch64;
pub mod global;
pub mod soundness;

#[cfg(feature = "macros")]
mod attribute;
mod backend;
mod protocol;
mod section;

pub use backend::eager::Eager;
#[cfg(all(feature = "sim", not(target_os = "none")))]
pub use backend::sim;
pub use backend::unreached::{NoBarriers, NoWalker, Unreached};
pub use backend::wrapped::{Wrapped, Wrapper};
pub use protocol::backend::{Backend, Global, Machine};
pub use protocol::bits::{Bits, OwnByte, SharedWord, Storage};
pub use protocol::event::Event;
pub use protocol::range::{BadRange, Invalidation, Scope, VirtualRange};
pub use protocol::raw;
pub use section::closure::{View, join, try_visible, visible, with};
pub use section::descriptor::Descriptor;
pub use section::gather::{Full, Gather, gather};
pub use section::guard::LazyMmu;
pub use section::invalidate::{
    flush_tlb_all, flush_tlb_kernel_pgtable, flush_tlb_kernel_range, invalidate,
};
pub use section::link::{link_table, write_nosync, write_sync};
pub use section::nesting::{Dynamic, Nested, Nesting, Outer};
pub use section::pause::paused;
pub use section::proof::{Pending, Visible};
pub use section::slot::{Entry, Slot, Slots};
pub use section::store::{
    flush, is_active, note_store, note_stores, write, write_ptr, write_range,
};
pub use section::task::{NotIdle, Task, check_idle};
pub use section::unmapped::{AfterInvalidation, Unmapped};

#[cfg(feature = "macros")]
pub use attribute::lazy_mmu;

/// What the macros expand to. Not for users: these names change without notice.
#[doc(hidden)]
pub mod __private {
    pub use crate::backend::global::registered;
    pub use crate::section::closure::{joined, section, view};
    pub use crate::section::pause::pause;
}

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
