//! Addresses, ranges, descriptors and errors: the vocabulary of the memory manager.

use core::fmt;

use lazy_mmu::aarch64::Granule;
use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf, Table, TopLevel, USER_DATA, memory_type};
use lazy_mmu::{BadRange, VirtualRange};
use thiserror::Error;

/// Bytes in a page, and in a frame: the 4 KiB granule.
pub const PAGE_SIZE: u64 = 4096;
/// Entries in a translation table.
pub const ENTRIES: usize = 512;
/// The level whose entries are pages.
pub const LEAF_LEVEL: usize = 3;

/// The linear map: the physical address `p` is at `LINEAR_BASE + p`.
pub const LINEAR_BASE: u64 = 0xffff_0000_0000_0000;
/// Where kernel mappings are made by [`vmalloc`](crate::vmalloc) and [`populate`](crate::populate).
pub const VMALLOC_BASE: u64 = 0xffff_8000_0000_0000;
/// Where user-like mappings are made. They have the attributes of a user's pages; that they are in the upper half lets
/// the kernel's one table hold them.
pub const USER_BASE: u64 = 0xffff_c000_0000_0000;

/// Normal memory: the byte 1 of MAIR_EL1.
pub const NORMAL_MEMORY: u64 = memory_type(1);

/// The address bits of a descriptor, for 4 KiB pages and 48-bit output addresses.
const ADDRESS: u64 = 0x0000_ffff_ffff_f000;

/// A frame of physical memory, by its address, which is a multiple of [`PAGE_SIZE`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Frame(u64);

impl Frame {
    /// The frame at the physical address `address`; what is below a multiple of [`PAGE_SIZE`] is cut off.
    pub const fn containing(address: u64) -> Self {
        Self(address & ADDRESS)
    }

    /// Its physical address.
    pub const fn address(self) -> u64 {
        self.0
    }

    /// Where the linear map has it.
    pub const fn linear(self) -> u64 {
        LINEAR_BASE + self.0
    }

    /// The frame `n` frames further.
    #[must_use]
    pub const fn add(self, n: usize) -> Self {
        Self(self.0 + n as u64 * PAGE_SIZE)
    }

    /// The page descriptor that maps it as the kernel's data.
    pub const fn kernel_page(self) -> Leaf {
        Leaf::page(self.0, KERNEL_DATA | NORMAL_MEMORY)
    }

    /// The page descriptor that maps it as a user's data.
    pub const fn user_page(self) -> Leaf {
        Leaf::page(self.0, USER_DATA | NORMAL_MEMORY)
    }

    /// The descriptor at an intermediate level whose next-level table it holds.
    pub const fn table(self) -> Table {
        Table::at(self.0)
    }

    /// The same at the top level.
    pub const fn top_level(self) -> TopLevel {
        TopLevel::at(self.0)
    }

    /// The frame that a valid descriptor maps or points to; `None` if it is invalid.
    pub const fn of_descriptor(bits: u64) -> Option<Self> {
        if Leaf(bits).is_valid() {
            Some(Self(bits & ADDRESS))
        } else {
            None
        }
    }
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "frame {:#x}", self.0)
    }
}

/// Which entry of the table at `level` (0 is the top) translates `address`.
#[expect(
    clippy::cast_possible_truncation,
    reason = "nine bits are kept of the address"
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
    /// `pages` pages from the virtual address `start` on.
    ///
    /// # Errors
    ///
    /// [`Error::Unaligned`] if `start` is not a multiple of [`PAGE_SIZE`]; [`Error::OutOfArea`] if the range is not in
    /// the upper half (which TTBR1 translates), or runs over the end of the address space.
    pub const fn new(start: u64, pages: usize) -> Result<Self, Error> {
        match Granule::Kib4.range(start, pages as u64) {
            Ok(_) if start >= LINEAR_BASE => Ok(Self { start, pages }),
            Err(BadRange::Unaligned { address, .. }) => Err(Error::Unaligned { address }),
            _ => Err(Error::OutOfArea { address: start }),
        }
    }

    /// The linear map's range for `frames` frames from `first` on.
    pub(crate) const fn linear(first: Frame, frames: usize) -> Self {
        Self {
            start: first.linear(),
            pages: frames,
        }
    }

    /// The virtual address of the first page.
    pub const fn start(self) -> u64 {
        self.start
    }

    /// How many pages it has.
    pub const fn pages(self) -> usize {
        self.pages
    }

    /// The virtual address of page number `page`, which may be one past the last.
    pub const fn page(self, page: usize) -> u64 {
        self.start + page as u64 * PAGE_SIZE
    }

    /// The addresses of all pages.
    pub fn addresses(self) -> impl Iterator<Item = u64> {
        (0..self.pages).map(move |page| self.page(page))
    }

    /// The range without its first `pages` pages, and at most `at_most` pages of that.
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
        // A range of pages inside the address space is one there too.
        match Granule::Kib4.range(range.start, range.pages as u64) {
            Ok(range) => range,
            Err(error) => unreachable!("{error}"),
        }
    }
}

/// What was wrong.
///
/// The memory manager's functions check their arguments before they change a table. What can only be found on the way
/// says in its message, or in the function's `Errors`, how far it came.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The start of a range is not a multiple of [`PAGE_SIZE`]. Nothing was changed.
    #[error("the address {address:#x} is not a multiple of {PAGE_SIZE}")]
    Unaligned {
        /// The start.
        address: u64,
    },
    /// A range leaves the upper half of the address space. Nothing was changed.
    #[error("the range at {address:#x} is not in the kernel's half of the address space")]
    OutOfArea {
        /// Its start.
        address: u64,
    },
    /// A page of a range to be mapped is mapped already. Nothing was changed.
    #[error("the page at {address:#x} is mapped already")]
    AlreadyMapped {
        /// The first such page.
        address: u64,
    },
    /// A page of a range that should be mapped is not, or (for a walk that creates none) has no table. Nothing was
    /// changed by the checks that come first; a walk's callback has been called for the pages before it.
    #[error("the page at {address:#x} is not mapped")]
    NotMapped {
        /// The first such page.
        address: u64,
    },
    /// A range and the frames for it are not of the same number. Nothing was changed.
    #[error("{pages} pages cannot be mapped to {frames} frames")]
    WrongCount {
        /// The range's pages.
        pages: usize,
        /// The frames given.
        frames: usize,
    },
    /// A frame was given back that was not allocated, or is not of this memory. Nothing was changed.
    #[error("{frame} is not allocated")]
    NotAllocated {
        /// The frame.
        frame: Frame,
    },
    /// There are not enough free frames, or not enough of them in a row. The first `done` pages of the range are done
    /// and stay so; the others are as they were.
    #[error("out of frames after {done} pages")]
    OutOfFrames {
        /// How many pages of the range were mapped.
        done: usize,
    },
    /// The memory manager's own access to memory faulted: a mapping that it relies on is missing or not yet visible.
    #[error(transparent)]
    Fault(#[from] crate::Fault),
}

impl Error {
    /// The same error of a function that had done `done` pages of its range.
    pub(crate) fn after(self, done: usize) -> Self {
        match self {
            Self::OutOfFrames { .. } => Self::OutOfFrames { done },
            other => other,
        }
    }
}
