//! The types of the memory manager: addresses, ranges, descriptors and errors.

use core::fmt;

use lazy_mmu::{BadRange, VirtualRange};
use thiserror::Error;

use crate::format::{self, Leaf, Table, TopLevel};
pub use crate::format::{LINEAR_BASE, USER_BASE, VMALLOC_BASE};

/// The bytes of a page and of a frame. The granule is 4 KiB.
pub const PAGE_SIZE: u64 = 4096;
/// The entries of a translation table.
pub const ENTRIES: usize = 512;
/// The level whose entries are pages.
pub const LEAF_LEVEL: usize = 3;

/// A frame of physical memory: its physical address, which is a multiple of [`PAGE_SIZE`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Frame(u64);

impl Frame {
    /// Returns the frame that contains the physical address `address`.
    pub const fn containing(address: u64) -> Self {
        Self(address & format::ADDRESS)
    }

    /// Returns the physical address of the frame.
    pub const fn address(self) -> u64 {
        self.0
    }

    /// Returns the virtual address of the frame in the linear map.
    pub const fn linear(self) -> u64 {
        LINEAR_BASE + self.0
    }

    /// Returns the frame that is `n` frames further.
    #[must_use]
    pub const fn add(self, n: usize) -> Self {
        Self(self.0 + n as u64 * PAGE_SIZE)
    }

    /// Returns the page descriptor that maps the frame as kernel data.
    pub const fn kernel_page(self) -> Leaf {
        Leaf::page(self.0, format::KERNEL)
    }

    /// Returns the page descriptor that maps the frame as user data.
    pub const fn user_page(self) -> Leaf {
        Leaf::page(self.0, format::USER)
    }

    /// Returns the table descriptor of an intermediate level that points to the frame.
    pub const fn table(self) -> Table {
        Table::at(self.0)
    }

    /// Returns the table descriptor of the top level that points to the frame.
    pub const fn top_level(self) -> TopLevel {
        TopLevel::at(self.0)
    }

    /// Returns the frame that a valid descriptor maps or points to.
    ///
    /// Returns `None` if the descriptor is invalid.
    pub const fn of_descriptor(bits: u64) -> Option<Self> {
        if Leaf(bits).is_valid() {
            Some(Self::in_descriptor(bits))
        } else {
            None
        }
    }

    /// Returns the frame whose address is in a descriptor.
    pub const fn in_descriptor(bits: u64) -> Self {
        Self(format::address(bits))
    }
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "frame {:#x}", self.0)
    }
}

/// Returns the index of the entry that translates `address` in a table at `level` (0 is the top).
#[expect(
    clippy::cast_possible_truncation,
    reason = "only nine bits of the address remain"
)]
pub const fn index(address: u64, level: usize) -> usize {
    (address >> (12 + 9 * (LEAF_LEVEL - level))) as usize % ENTRIES
}

/// A range of whole pages in the upper half of the address space.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PageRange {
    start: u64,
    pages: usize,
}

impl PageRange {
    /// Returns the range of `pages` pages at the virtual address `start`.
    ///
    /// # Errors
    ///
    /// * [`Error::Unaligned`] if `start` is not a multiple of [`PAGE_SIZE`].
    /// * [`Error::OutOfArea`] if the range is not in the upper half, which TTBR1 translates on
    ///   aarch64, or exceeds the address space.
    pub const fn new(start: u64, pages: usize) -> Result<Self, Error> {
        match format::range(start, pages as u64) {
            Ok(_) if start >= LINEAR_BASE => Ok(Self { start, pages }),
            Err(BadRange::Unaligned { address, .. }) => Err(Error::Unaligned { address }),
            _ => Err(Error::OutOfArea { address: start }),
        }
    }

    /// Returns the range of the linear map for `frames` frames, of which `first` is the first.
    pub(crate) const fn linear(first: Frame, frames: usize) -> Self {
        Self {
            start: first.linear(),
            pages: frames,
        }
    }

    /// Returns the virtual address of the first page.
    pub const fn start(self) -> u64 {
        self.start
    }

    /// Returns the number of pages.
    pub const fn pages(self) -> usize {
        self.pages
    }

    /// Returns the virtual address of page number `page`, which may be one past the last page.
    pub const fn page(self, page: usize) -> u64 {
        self.start + page as u64 * PAGE_SIZE
    }

    /// Returns the virtual addresses of all pages.
    pub fn addresses(self) -> impl Iterator<Item = u64> {
        (0..self.pages).map(move |page| self.page(page))
    }

    /// Returns at most `at_most` pages of the range, after its first `pages` pages.
    pub(crate) const fn part(self, pages: usize, at_most: usize) -> Self {
        let rest = self.pages.saturating_sub(pages);
        Self {
            start: self.page(pages),
            pages: if rest < at_most { rest } else { at_most },
        }
    }
}

impl From<PageRange> for VirtualRange {
    fn from(range: PageRange) -> Self {
        // Whole pages inside the address space are always a valid range.
        match format::range(range.start, range.pages as u64) {
            Ok(range) => range,
            Err(error) => unreachable!("{error}"),
        }
    }
}

/// An error of the memory manager.
///
/// Its functions check their arguments before they change a table. Other errors occur during the
/// work. Their messages, or the `Errors` of the function, say which pages are done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The start of a range is not a multiple of [`PAGE_SIZE`]. The tables are unchanged.
    #[error("the address {address:#x} is not a multiple of {PAGE_SIZE}")]
    Unaligned {
        /// The start of the range.
        address: u64,
    },
    /// A range is not in the upper half of the address space. The tables are unchanged.
    #[error("the range at {address:#x} is not in the kernel's half of the address space")]
    OutOfArea {
        /// The start of the range.
        address: u64,
    },
    /// A page of a range is mapped already. The tables are unchanged.
    #[error("the page at {address:#x} is mapped already")]
    AlreadyMapped {
        /// The first page that is mapped.
        address: u64,
    },
    /// A page of a range is not mapped, or does not have a table.
    ///
    /// A function that checks its range first has not changed the tables. A walk has called its
    /// callback for the pages before this one.
    #[error("the page at {address:#x} is not mapped")]
    NotMapped {
        /// The first page that is not mapped.
        address: u64,
    },
    /// A range has more or fewer pages than there are frames for it. The tables are unchanged.
    #[error("{pages} pages cannot be mapped to {frames} frames")]
    WrongCount {
        /// The number of pages in the range.
        pages: usize,
        /// The number of frames.
        frames: usize,
    },
    /// A frame is free, or not in this memory. It cannot be freed, and the tables are unchanged.
    #[error("{frame} is not allocated")]
    NotAllocated {
        /// The frame that is not allocated.
        frame: Frame,
    },
    /// There are not enough free frames, or not enough consecutive ones.
    ///
    /// The changes to the first `done` pages of the range stay. The other pages are unchanged.
    #[error("out of frames after {done} pages")]
    OutOfFrames {
        /// The number of pages that are done.
        done: usize,
    },
    /// An access of the memory manager faulted: a mapping is missing, or not yet visible.
    #[error(transparent)]
    Fault(#[from] crate::Fault),
}

impl Error {
    /// Returns the same error for a function that has done `done` pages of its range.
    pub(crate) fn after(self, done: usize) -> Self {
        match self {
            Self::OutOfFrames { .. } => Self::OutOfFrames { done },
            other => other,
        }
    }
}
