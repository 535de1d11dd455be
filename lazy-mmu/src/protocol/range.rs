//! Ranges of virtual addresses, and what an invalidation removes from the TLBs.
//!
//! Separate from the contract because the sections build these values, and the machines read them.

use core::fmt;
use core::ops::Range;

/// Whole pages of virtual addresses, which do not run over the end of the address space.
///
/// The addresses are the kernel's, or those of every address space ("all ASIDs"), unless
/// [`of_asid`](Self::of_asid) says otherwise.
///
/// An architecture's granule makes one: [`Granule::range`](crate::aarch64::Granule::range), and
/// [`Granule::entry`](crate::aarch64::Granule::entry) for the range of one entry.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct VirtualRange {
    start: u64,
    pages: u64,
    page_shift: u8,
    this_cpu: bool,
    asid: Option<u16>,
}

impl VirtualRange {
    /// No page.
    pub(crate) const NOTHING: Self = match Self::new(12, 0, 0) {
        Ok(nothing) => nothing,
        Err(_) => unreachable!(),
    };

    /// `pages` pages of `1 << page_shift` bytes each, from the virtual address `start` (in bytes)
    /// on.
    ///
    /// # Errors
    ///
    /// [`BadRange::Unaligned`] if `start` is not a multiple of the page size, [`BadRange::Wraps`]
    /// if the last page is beyond the end of the 64-bit address space.
    ///
    /// # Panics
    ///
    /// If `page_shift` is not 12, 14 or 16: pages have 4, 16 or 64 KiB.
    #[expect(clippy::cast_possible_truncation, reason = "16 at most")]
    pub const fn new(page_shift: u32, start: u64, pages: u64) -> Result<Self, BadRange> {
        assert!(
            matches!(page_shift, 12 | 14 | 16),
            "pages have 4, 16 or 64 KiB: a `page_shift` of 12, 14 or 16"
        );
        let align = 1 << page_shift;
        if start & (align - 1) != 0 {
            return Err(BadRange::Unaligned {
                address: start,
                align,
            });
        }
        // Pages up to the end. In bytes that is one too many for 64 bits at address 0.
        let room = ((u64::MAX - start) >> page_shift) + 1;
        if pages > room {
            return Err(BadRange::Wraps { start, pages });
        }
        Ok(Self {
            start,
            pages,
            page_shift: page_shift as u8,
            this_cpu: false,
            asid: None,
        })
    }

    /// The pages of `1 << page_shift` bytes that `addresses` (in bytes) cover.
    ///
    /// # Errors
    ///
    /// [`BadRange::Unaligned`] if one of the bounds is not a multiple of the page size,
    /// [`BadRange::Wraps`] if the end is below the start.
    ///
    /// # Panics
    ///
    /// If `page_shift` is not 12, 14 or 16: pages have 4, 16 or 64 KiB.
    pub const fn of_addresses(page_shift: u32, addresses: Range<u64>) -> Result<Self, BadRange> {
        let Range { start, end } = addresses;
        let align = 1 << page_shift;
        if end & (align - 1) != 0 {
            return Err(BadRange::Unaligned {
                address: end,
                align,
            });
        }
        let Some(bytes) = end.checked_sub(start) else {
            return Err(BadRange::Wraps {
                start,
                pages: end.wrapping_sub(start) >> page_shift,
            });
        };
        Self::new(page_shift, start, bytes >> page_shift)
    }

    /// The first virtual address, in bytes.
    pub const fn start(self) -> u64 {
        self.start
    }

    /// The same addresses, of the user's address space `asid` only.
    ///
    /// It removes the translations that have the ASID. It may leave global ones, so it is not for
    /// the kernel's. A kernel that has two ASIDs for an address space (page-table isolation) needs
    /// two ranges, or one of all address spaces.
    #[must_use]
    pub const fn of_asid(self, asid: u16) -> Self {
        Self {
            asid: Some(asid),
            ..self
        }
    }

    /// The same addresses, for an invalidation that only the CPU which executes it needs.
    ///
    /// # Safety
    ///
    /// For each use of the result, of a copy, or of a range made of it: until the invalidation has
    /// been executed the thread stays on its CPU, and no other CPU uses the translations, or may
    /// have them in its TLB. For example, the address space has run on this CPU only.
    #[must_use]
    pub const unsafe fn on_this_cpu(self) -> Self {
        Self {
            this_cpu: true,
            ..self
        }
    }

    /// How many pages it has.
    pub const fn pages(self) -> u64 {
        self.pages
    }

    /// log2 of the bytes in a page.
    pub const fn page_shift(self) -> u32 {
        self.page_shift as u32
    }

    /// The one address space; `None` for the kernel's addresses, and for those of all address
    /// spaces.
    pub const fn asid(self) -> Option<u16> {
        self.asid
    }

    /// Whether only the CPU that executes the invalidation needs it.
    pub const fn this_cpu(self) -> bool {
        self.this_cpu
    }

    /// The smallest range with both in it; an empty one adds nothing. Of two address spaces it
    /// makes all. Of two page sizes it makes the whole address space, because one invalidation by
    /// range is for pages of one size.
    #[must_use]
    pub const fn hull(self, other: Self) -> Self {
        if self.pages == 0 {
            return other;
        }
        if other.pages == 0 {
            return self;
        }
        let (start, pages) = if self.page_shift == other.page_shift {
            let start = min(self.page(), other.page());
            (start, max(self.end_page(), other.end_page()) - start)
        } else {
            (0, 1 << (64 - self.page_shift))
        };
        Self {
            start: start << self.page_shift,
            pages,
            page_shift: self.page_shift,
            this_cpu: self.this_cpu && other.this_cpu,
            asid: match (self.asid, other.asid) {
                (Some(one), Some(two)) if one == two => Some(one),
                _ => None,
            },
        }
    }

    /// Whether the hull has no other addresses than the two have.
    pub(crate) fn is_adjoined_by(self, other: Self) -> bool {
        let of = |it: Self| (it.page_shift, it.this_cpu, it.asid);
        of(self) == of(other) && self.page() <= other.end_page() && other.page() <= self.end_page()
    }

    /// The number of the first page.
    const fn page(self) -> u64 {
        self.start >> self.page_shift
    }

    /// The number of the page behind the last.
    const fn end_page(self) -> u64 {
        self.page() + self.pages
    }
}

impl fmt::Debug for VirtualRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VirtualRange")
            .field("start", &format_args!("{:#x}", self.start))
            .field("pages", &self.pages)
            .field("page_shift", &self.page_shift)
            .field("asid", &self.asid)
            .field("this_cpu", &self.this_cpu)
            .finish()
    }
}

const fn min(a: u64, b: u64) -> u64 {
    if a < b { a } else { b }
}

const fn max(a: u64, b: u64) -> u64 {
    if a > b { a } else { b }
}

/// What is wrong with a range.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BadRange {
    /// A bound is not a multiple of the page size, or of the bytes that the entry translates.
    Unaligned {
        /// The bound.
        address: u64,
        /// What it must be a multiple of, in bytes.
        align: u64,
    },
    /// The range runs over the end of the address space.
    Wraps {
        /// The first address.
        start: u64,
        /// The number of pages.
        pages: u64,
    },
    /// The granule has no such level.
    NoSuchLevel {
        /// The level.
        level: u8,
    },
}

impl fmt::Display for BadRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unaligned { address, align } => {
                write!(
                    f,
                    "the address {address:#x} is not a multiple of {align:#x}"
                )
            }
            Self::Wraps { start, pages } => write!(
                f,
                "{pages} pages from {start:#x} on run over the end of the address space"
            ),
            Self::NoSuchLevel { level } => write!(f, "the granule has no level {level}"),
        }
    }
}

/// As `Display`, because addresses are read in hexadecimal.
impl fmt::Debug for BadRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BadRange({self})")
    }
}

impl core::error::Error for BadRange {}

/// Which entries of the walks an invalidation removes: leaves of which size, or all levels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Scope {
    /// log2 of the bytes that one leaf translates; 0: a page.
    entry_shift: u8,
    all_levels: bool,
}

impl Scope {
    /// The leaves, each of which is a page: enough when pages have changed (Linux:
    /// `flush_tlb_kernel_range`).
    pub const PAGES: Self = Self {
        entry_shift: 0,
        all_levels: false,
    };

    /// The leaves and the tables above them, which walks may have cached: needed when a table is
    /// taken away (Linux: `__flush_tlb_kernel_pgtable`).
    pub const ALL_LEVELS: Self = Self {
        entry_shift: 0,
        all_levels: true,
    };

    /// The leaves, each of which translates `1 << entry_shift` bytes: one operation is enough for a
    /// block.
    ///
    /// # Panics
    ///
    /// If `entry_shift` is over 63.
    #[expect(clippy::cast_possible_truncation, reason = "checked")]
    pub const fn leaves(entry_shift: u32) -> Self {
        assert!(entry_shift < 64, "an entry translates less than 64 bits");
        Self {
            entry_shift: entry_shift as u8,
            all_levels: false,
        }
    }

    /// Whether the tables above the leaves are removed too.
    pub const fn all_levels(self) -> bool {
        self.all_levels
    }

    /// The smallest scope with both in it.
    fn union(self, other: Self) -> Self {
        Self {
            entry_shift: self.entry_shift.min(other.entry_shift),
            all_levels: self.all_levels || other.all_levels,
        }
    }
}

/// A range, and which of the entries that translate it are removed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Invalidation {
    /// The virtual addresses.
    pub range: VirtualRange,
    /// Which entries.
    pub scope: Scope,
}

impl Invalidation {
    /// log2 of the bytes that one operation must cover: what a leaf translates. With all levels it
    /// is a page, because a table may have been there.
    pub const fn entry_shift(&self) -> u32 {
        let (page, entry) = (self.range.page_shift as u32, self.scope.entry_shift as u32);
        if self.scope.all_levels || entry < page {
            page
        } else {
            entry
        }
    }

    /// The smallest one with both in it; one of an empty range adds nothing.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        let range = self.range.hull(other.range);
        let scope = match (self.range.pages, other.range.pages) {
            (0, _) => other.scope,
            (_, 0) => self.scope,
            _ => self.scope.union(other.scope),
        };
        Self { range, scope }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;
    use std::string::ToString as _;

    const PAGE: u32 = 12;

    fn range(start: u64, pages: u64) -> VirtualRange {
        VirtualRange::new(PAGE, start, pages).unwrap()
    }

    #[test]
    fn bad_ranges_are_refused() {
        let unaligned = |address, align| Err(BadRange::Unaligned { address, align });
        assert_eq!(VirtualRange::new(12, 0x1001, 1), unaligned(0x1001, 0x1000));
        assert_eq!(VirtualRange::new(14, 0x1000, 1), unaligned(0x1000, 0x4000));
        let last = 0xffff_ffff_ffff_f000;
        assert!(VirtualRange::new(PAGE, last, 1).is_ok());
        let (start, pages) = (last, 2);
        let wraps = VirtualRange::new(PAGE, start, pages);
        assert_eq!(wraps, Err(BadRange::Wraps { start, pages }));
        assert!(VirtualRange::new(PAGE, 0, 1 << 52).is_ok());
        assert!(VirtualRange::new(PAGE, 0, (1 << 52) + 1).is_err());
        assert!(VirtualRange::new(PAGE, 0xffff_8000_0000_0000, u64::MAX).is_err());
    }

    #[test]
    fn a_range_of_addresses_has_whole_pages() {
        let of = |addresses| VirtualRange::of_addresses(PAGE, addresses);
        assert_eq!(of(0x1000..0x4000), Ok(range(0x1000, 3)));
        assert_eq!(of(0x1000..0x1000), Ok(range(0x1000, 0)));
        for (address, addresses) in [(0x1001, 0x1001..0x4000), (0x4001, 0x1000..0x4001)] {
            let align = 0x1000;
            assert_eq!(of(addresses), Err(BadRange::Unaligned { address, align }));
        }
        let backwards = Range {
            start: 0x4000,
            end: 0x1000,
        };
        let (start, pages) = (0x4000, (1 << 52) - 3);
        assert_eq!(of(backwards), Err(BadRange::Wraps { start, pages }));
    }

    #[test]
    fn bad_ranges_say_what_is_wrong() {
        for (error, text) in [
            (
                VirtualRange::new(14, 0x1000, 1).unwrap_err(),
                "the address 0x1000 is not a multiple of 0x4000",
            ),
            (
                VirtualRange::new(PAGE, 0xffff_ffff_ffff_f000, 2).unwrap_err(),
                "2 pages from 0xfffffffffffff000 on run over the end of the address space",
            ),
            (
                BadRange::NoSuchLevel { level: 0 },
                "the granule has no level 0",
            ),
        ] {
            assert_eq!(error.to_string(), text);
            assert_eq!(std::format!("{error:?}"), std::format!("BadRange({text})"));
        }
    }

    #[test]
    fn the_hull_has_both() {
        let low = range(0x1000, 2);
        let high = range(0xffff_ffff_ffff_f000, 1);
        let hull = low.hull(high);
        assert_eq!((hull.start(), hull.pages()), (0x1000, (1 << 52) - 1));
        assert_eq!(high.hull(low), hull);
        let none = range(0x8000, 0);
        assert_eq!(low.hull(none), low);
        assert_eq!(none.hull(low), low);
        // Of two page sizes all.
        let large = VirtualRange::new(16, 0xffff_ffff_ffff_0000, 1).unwrap();
        for hull in [low.hull(large), large.hull(low)] {
            assert_eq!(hull.start(), 0);
            assert_eq!(hull.pages() << (hull.page_shift() - 1), 1 << 63);
        }
    }

    #[test]
    fn a_union_removes_what_each_does() {
        let leaves = |start, pages, shift| Invalidation {
            range: range(start, pages),
            scope: Scope::leaves(shift),
        };
        let block = leaves(0x20_0000, 512, 21);
        let page = leaves(0x1000, 1, 0);
        let union = block.union(page);
        assert_eq!(union, page.union(block));
        assert_eq!((union.range.start(), union.range.pages()), (0x1000, 1023));
        assert_eq!((block.entry_shift(), union.entry_shift()), (21, 12));
        // Nothing adds nothing.
        assert_eq!(block.union(leaves(0, 0, 0)), block);
        assert_eq!(leaves(0, 0, 0).union(block), block);

        let table = Invalidation {
            scope: Scope::ALL_LEVELS,
            ..block
        };
        assert!(table.union(block).scope.all_levels());
        assert_eq!(table.union(block).entry_shift(), 12);
    }

    #[test]
    fn two_address_spaces_are_all() {
        let range = range(0x1000, 1);
        let [one, two] = [1, 2].map(|asid| range.of_asid(asid));
        assert_eq!(one.hull(one).asid(), Some(1));
        assert_eq!(one.hull(two).asid(), None);
        assert_eq!(one.hull(range).asid(), None);
        // SAFETY: nothing is invalidated.
        let here = unsafe { one.on_this_cpu() };
        assert!(here.hull(here).this_cpu());
        assert!(!here.hull(one).this_cpu());
        assert!(one.is_adjoined_by(one) && !one.is_adjoined_by(two) && !one.is_adjoined_by(here));
    }
}
