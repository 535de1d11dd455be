//! A small memory manager on [`lazy_mmu`], with one source for a host, an aarch64 CPU and a RISC-V
//! hart.
//!
//! It has the parts of a kernel's memory management that make sections nest without the knowledge
//! of their authors:
//!
//! * pages of 4 KiB, 4 levels of tables, and addresses of 48 bits; with Sv39 of RISC-V 3 levels and
//!   39 bits,
//! * a frame allocator with a switch for DEBUG_PAGEALLOC, which unmaps free frames,
//! * a vmalloc area, and a range that is populated page by page,
//! * mappings that are removed in batches.
//!
//! The functions have the names of the Linux functions that do the same.
//!
//! | function | its section |
//! |---|---|
//! | [`MemoryManager::apply_to_page_range`] | the caller's; the allocator's sections nest in it |
//! | [`MemoryManager::build_tables`] | joins the caller's |
//! | [`MemoryManager::allocate`] | with DEBUG_PAGEALLOC: its own, nested in the caller's |
//! | [`MemoryManager::vmap`] | its own |
//! | [`MemoryManager::vmap_pages_range`] | the caller's; returns a [`lazy_mmu::Pending`] mapping |
//! | [`MemoryManager::populate_range`] | its own; the allocator's sections nest in it |
//! | [`MemoryManager::vunmap_range`], [`MemoryManager::release`] | not needed |
//! | [`MemoryManager::zap_range`] | not needed; a [`lazy_mmu::Gather`] collects the frames |
//!
//! [`scenario`] calls all of them, and counts their stores and barriers. [`machine`] is the
//! difference between a host and a CPU.

#![cfg_attr(not(feature = "host"), no_std)]

pub mod format;
pub mod frames;
#[cfg(feature = "host")]
pub mod host;
pub mod linear;
pub mod machine;
pub mod mm;
pub mod page;
pub mod populate;
pub mod preempt;
pub mod random;
pub mod scenario;
pub mod tolerant;
pub mod trace;
pub mod vmalloc;
pub mod witness;
pub mod zap;

pub use machine::{Fault, Machine};
pub use mm::MemoryManager;
pub use page::{Error, Frame, PageRange};
