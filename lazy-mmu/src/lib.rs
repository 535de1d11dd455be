//! Lazy MMU sections: page-table barriers that are deferred, shared and never lost.
//!
//! On aarch64, a store that makes a kernel page-table entry valid must be followed by the *barrier
//! pair* `dsb ishst; isb` before the mapping is used. Executing a pair for each entry is slow. A
//! *section* makes its stores at once and defers the pair. One pair, at the end of the section,
//! covers all of them.
//!
//! A RISC-V hart may cache an invalid entry. There, one `sfence.vma` on each hart has the place of
//! the pair ([`riscv64`]).
//!
//! New here? Start with the [guide]. It also has an [index of error messages](guide::errors).
//!
//! ```
//! use core::sync::atomic::AtomicU64;
//! use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf, memory_type};
//! use lazy_mmu::lazy_mmu;
//! # type Mmu = lazy_mmu::sim::Sim;
//!
//! const NORMAL: u64 = KERNEL_DATA | memory_type(1); // byte 1 of this kernel's MAIR_EL1
//!
//! #[lazy_mmu(backend = Mmu, mmu)] // the body is a section, which it can name as `mmu`
//! fn map_pages(slots: &[AtomicU64], first: u64) {
//!     for (slot, page) in slots.iter().zip((first..).step_by(4096)) {
//!         mmu.write(slot, Leaf::page(page, NORMAL));
//!     }
//! } // one barrier pair, on every way out
//! # map_pages(&[const { AtomicU64::new(0) }; 8], 0x4000_0000);
//! # assert_eq!(lazy_mmu::sim::pairs(&lazy_mmu::sim::take_trace()), 1);
//! ```
//!
//! Sections nest, often without their authors' knowledge. A function that changes mappings frees a
//! page. The allocator then removes that page from the linear map, and opens a section for that.
//! Each leave emits the pair if a store awaits it, but only the outermost leave ends the *lazy MMU
//! mode*. In the [C patches for nesting](guide::from_linux), enter returns a state. A function must
//! keep it, and pass it to the matching leave: once, in order, on the same thread. Here the
//! compiler checks this, and a forgotten section does not lose a barrier.
//!
//! # Where to read on
//!
//! * **Page-table code**: the attribute [`#[lazy_mmu]`](macro@lazy_mmu), and [`LazyMmu`], which has
//!   the operations of an open section.
//! * **Kernels** that adopt the crate: [`aarch64`] and [`riscv64`] turn a kernel's configuration
//!   into a *backend*, and [`Backend`] is for all other kernels. A kernel provides four
//!   [bits](Bits) per thread, and a test for interrupt context. [`set_global_backend!`] registers
//!   the backend for the program.
//! * **Libraries and drivers**: [`Global`] and the module [`global`]. A library need not know the
//!   backend, because the final binary registers it.
//! * **C and assembly**: the tokens of [`raw`].
//! * **Tests on a host**: the [feature](#features) `sim`.
//! * **Figures and versions**: [the cost of a section](guide::faq#what-does-a-section-cost), and
//!   the [changelog](guide::changelog).
//! * **Reviewers**: [`soundness`] lists what the compiler refuses, what the crate handles at run
//!   time, and which duties remain. [`raw`] describes the state machine.
//!
//! # Ways to open a section
//!
//! | form | for |
//! |---|---|
//! | [`#[lazy_mmu]`](macro@lazy_mmu) | a whole function |
//! | [`with`] | a part of a function |
//! | `#[lazy_mmu(join)]`, [`join`] | a function called in a loop, to share its caller's section |
//! | [`visible()`] | a function that returns its mapping ready for use |
//! | [`Task::enter`], [`LazyMmu::nest`] | a guard that the caller owns, typed by its nesting |
//!
//! A function that takes `&mut LazyMmu<..>` defers into that section, and can return a [`Pending`]
//! mapping. Code that does not hold a guard calls functions such as [`write()`] and
//! [`write_range`]. If its caller has a section, these defer their pair into it. [`paused()`] makes
//! the stores of a closure immediate, inside sections too.
//!
//! A lock guard created in an attributed body drops **before** the pair. See [the order of
//! drops](macro@lazy_mmu#order-of-drops).
//!
//! # Removing mappings, and other stores
//!
//! A removed mapping needs a TLB [invalidation](invalidate), which does what the pair does, and
//! more.
//!
//! * [`LazyMmu::unmap`] returns the old entry as [`Unmapped`], locked until its invalidation.
//! * [`gather()`] collects any number of removed mappings for one invalidation.
//! * [`LazyMmu::break_before_make`] replaces a valid entry in the order that the architecture asks.
//! * [`aarch64::update`] has the atomic updates of single entries. [`riscv64::replace`] exchanges
//!   valid entries.
//! * [`link_table`] fills a table and links it. [`write_sync`] executes the pair at once.
//!   [`write_nosync`] executes no barrier.
//!
//! # Backends
//!
//! The compiler inlines a backend that the code names (`backend = Mmu`, `with::<Mmu, _>`). With
//! [`Global`], a section costs one call when it is entered, and one for each pair. [`Eager`]
//! switches the mode off. [`Wrapped`] changes methods of another backend's machine. [`Unreached`]
//! is for tables that no walker reaches yet.
//!
//! # Features
//!
//! * `macros` (default): the attribute `#[lazy_mmu]`.
//! * `sim`: the hosted backend `sim::Sim`, which records a trace of events, and simulates
//!   interrupts and tasks. It needs `std`.

#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(all(feature = "sim", target_os = "none", not(docsrs)))]
compile_error!(
    "the feature `sim` of `lazy-mmu` needs `std`: enable it for tests on the host only, \
     under `[dev-dependencies]`"
);

// First, because rustdoc shows the methods of a type in the order of the modules.
mod section;

pub mod aarch64;
pub mod global;
pub mod guide;
pub mod riscv64;
pub mod soundness;

#[cfg(feature = "macros")]
mod attribute;
mod backend;
mod protocol;

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

/// The functions that the expansions of the macros call. Their names change without notice, so do
/// not call them.
#[doc(hidden)]
pub mod __private {
    pub use crate::backend::global::registered;
    pub use crate::section::closure::{joined, section, view};
    pub use crate::section::pause::pause;
}

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
