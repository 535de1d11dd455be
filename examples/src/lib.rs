//! A small memory manager on [`lazy_mmu`], the same source on a host and on an aarch64 CPU.
//!
//! It is as much of a kernel's memory management as it takes for sections to nest by themselves:
//! 4 KiB pages, 4 levels, 48-bit addresses, a frame allocator with a DEBUG_PAGEALLOC switch, a
//! vmalloc area, a range that is populated page by page, and mappings that are torn down in
//! batches. The functions are named for those of Linux that do the same.
//!
//! | module | what | its sections |
//! |---|---|---|
//! | [`mm`] | [`MemoryManager::apply_to_page_range`] | its caller's; the allocator's nest in it |
//! | | [`MemoryManager::build_tables`] | joins its caller's |
//! | [`frames`] | which frames are free | none |
//! | [`linear`] | [`MemoryManager::allocate`], with DEBUG_PAGEALLOC | nested in its caller's |
//! | | [`MemoryManager::release`] | none |
//! | [`vmalloc`] | [`MemoryManager::vmap`] | one a call |
//! | | [`MemoryManager::vmap_pages_range`], which returns a [`lazy_mmu::Pending`] mapping | its caller's |
//! | | [`MemoryManager::vunmap_range`] | none |
//! | [`populate`] | [`MemoryManager::populate_range`] | one a call; the allocator's nest in it |
//! | [`zap`] | [`MemoryManager::zap_range`]: a [`lazy_mmu::Gather`] of frames | none |
//! | [`scenario`] | all of it in a row, counted | |
//! | [`machine`] | what differs between a host and a CPU | |

#![cfg_attr(not(feature = "host"), no_std)]

pub mod frames;
#[cfg(feature = "host")]
pub mod host;
pub mod linear;
pub mod machine;
pub mod mm;
pub mod page;
pub mod populate;
pub mod preempt;
pub mod scenario;
pub mod tolerant;
pub mod trace;
pub mod vmalloc;
pub mod witness;
pub mod zap;

pub use machine::{Fault, Machine};
pub use mm::MemoryManager;
pub use page::{Error, Frame, PageRange};
