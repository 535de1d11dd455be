//! Ranges of virtual addresses, and the TLB invalidations for them.
//!
//! Separate from the contract because the sections build these values, and the machines read them.

use core::fmt;
use core::ops::Range;

/// A range of whole pages of virtual addresses, within the 64-bit address space.
///
/// The range belongs to the kernel, or to every address space ("all ASIDs"), unless
/// [`of_asid`](Self::of_asid) limits it to one.
///
/// On aarch64, [`Granule::range`](crate::aarch64::Granule::range) makes a range, and
/// [`Granule::entry`](crate::aarch64::Granule::entry) makes the range of one entry. On RISC-V,
/// [`Mode`](crate::riscv64::Mode) has the same functions.
///
/// ```
/// use lazy_mmu::VirtualRange;
/// use lazy_mmu::aarch64::Granule;
///
/// let range = Granule::Kib4.range(0xffff_8000_0000_0000, 3)?;
/// assert_eq!(range, VirtualRange::new(12, 0xffff_8000_0000_0000, 3)?);
/// assert_eq!(range.pages() << range.page_shift(), 0x3000); // bytes
/// # Ok::<(), lazy_mmu::BadRange>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct VirtualRange {
    start: u64,
    pages: u64,
    page_shift: u8,
    this_cpu: bool,
    asid: Option<u16>,
}

impl VirtualRange {
    /// The empty range.
    pub(crate) const NOTHING: Self = match Self::new(12, 0, 0) {
        Ok(nothing) => nothing,
        Err(_) => unreachable!(),
    };

    /// Returns the range of `pages` pages that begins at the virtual address `start`, in bytes.
    ///
    /// A page has `1 << page_shift` bytes.
    ///
    /// # Errors
    ///
    /// * [`BadRange::Unaligned`] if `start` is not a multiple of the page size
    /// * [`BadRange::Wraps`] if the last page is beyond the end of the 64-bit address space
    ///
    /// # Panics
    ///
    /// Panics if `page_shift` is not 12, 14 or 16, for pages of 4, 16 or 64 KiB.
    #[expect(clippy::cast_possible_truncation, reason = "16 at most")]
    pub const fn new(page_shift: u32, start: u64, pages: u64) -> Result<Self, BadRange> {
        assert!(
            matches!(page_shift, 12 | 14 | 16),
            "`page_shift` must be 12, 14 or 16, for pages of 4, 16 or 64 KiB"
        );
        let align = 1 << page_shift;
        if start & (align - 1) != 0 {
            return Err(BadRange::Unaligned {
                address: start,
                align,
            });
        }
        // The number of pages up to the end. In bytes it would need 65 bits for the address 0.
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

    /// Returns the range of the virtual addresses `addresses`, in bytes.
    ///
    /// A page has `1 << page_shift` bytes.
    ///
    /// ```
    /// use lazy_mmu::{BadRange, VirtualRange};
    ///
    /// let range = VirtualRange::of_addresses(12, 0x4000_0000..0x4000_4000)?;
    /// assert_eq!((range.start(), range.pages()), (0x4000_0000, 4));
    ///
    /// let error = VirtualRange::of_addresses(12, 0x4000_0000..0x4000_0010).unwrap_err();
    /// assert_eq!(error, BadRange::Unaligned { address: 0x4000_0010, align: 4096 });
    /// # Ok::<(), BadRange>(())
    /// ```
    ///
    /// # Errors
    ///
    /// * [`BadRange::Unaligned`] if a bound is not a multiple of the page size
    /// * [`BadRange::Wraps`] if the end is below the start
    ///
    /// # Panics
    ///
    /// Panics if `page_shift` is not 12, 14 or 16, for pages of 4, 16 or 64 KiB.
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

    /// Returns the first virtual address, in bytes.
    pub const fn start(self) -> u64 {
        self.start
    }

    /// Limits the range to one user address space, `asid`.
    ///
    /// An invalidation of the result removes the translations with this ASID. It may keep global
    /// translations, so the result is not for the addresses of the kernel. On RISC-V, a translation
    /// is global if its leaf or a table entry above it has the bit G. With page-table isolation, an
    /// address space has two ASIDs and needs two ranges, or one of all address spaces.
    ///
    /// An invalidation names one ASID for all CPUs, so the address space has the same ASID on each
    /// of them. RISC-V itself lets its harts have different ones.
    ///
    /// ```
    /// use lazy_mmu::aarch64::Granule;
    ///
    /// let page = Granule::Kib4.range(0x4000_0000, 1)?.of_asid(7);
    /// assert_eq!(page.asid(), Some(7));
    /// # Ok::<(), lazy_mmu::BadRange>(())
    /// ```
    #[must_use]
    pub const fn of_asid(self, asid: u16) -> Self {
        Self {
            asid: Some(asid),
            ..self
        }
    }

    /// Limits the invalidation of the range to the CPU that executes it.
    ///
    /// ```
    /// use lazy_mmu::Scope;
    /// use lazy_mmu::aarch64::Granule;
    /// use lazy_mmu::sim::{Event, take_trace};
    ///
    /// type Mmu = lazy_mmu::sim::Sim;
    ///
    /// // A page of the address space 7, which has run on this CPU only.
    /// let page = Granule::Kib4.range(0x4000_0000, 1)?.of_asid(7);
    /// // SAFETY: preemption is disabled, and no other CPU has run the address space.
    /// let page = unsafe { page.on_this_cpu() };
    /// lazy_mmu::invalidate::<Mmu>(page, Scope::PAGES);
    /// // The completion is a `dsb nsh`, which does not wait for other CPUs.
    /// let trace = take_trace();
    /// assert!(trace.contains(&Event::DsbNsh) && !trace.contains(&Event::DsbIsh));
    /// # Ok::<(), lazy_mmu::BadRange>(())
    /// ```
    ///
    /// # Safety
    ///
    /// The duties hold for each use of the result, of a copy of it, and of a range made from it.
    /// Until the invalidation has executed:
    ///
    /// * The thread stays on its CPU.
    /// * No other CPU uses the translations or can have them in its TLB. For example, the address
    ///   space has run on this CPU only.
    #[must_use]
    pub const unsafe fn on_this_cpu(self) -> Self {
        Self {
            this_cpu: true,
            ..self
        }
    }

    /// Returns the number of pages.
    pub const fn pages(self) -> u64 {
        self.pages
    }

    /// Returns the binary logarithm of the bytes in a page: 12, 14 or 16.
    pub const fn page_shift(self) -> u32 {
        self.page_shift as u32
    }

    /// Returns the ASID of the address space, or `None` for the kernel and for all address spaces.
    pub const fn asid(self) -> Option<u16> {
        self.asid
    }

    /// Returns whether the invalidation is limited to the CPU that executes it.
    pub const fn this_cpu(self) -> bool {
        self.this_cpu
    }

    /// Returns the smallest range that contains both. An empty range adds nothing.
    ///
    /// The hull of two address spaces covers all address spaces. The hull of two page sizes is the
    /// whole address space, because an invalidation by range is for pages of one size.
    ///
    /// ```
    /// use lazy_mmu::aarch64::Granule;
    ///
    /// let [low, high] = [0x4000_0000, 0x4000_4000].map(|start| Granule::Kib4.range(start, 1));
    /// assert_eq!(low?.hull(high?).pages(), 5);
    /// # Ok::<(), lazy_mmu::BadRange>(())
    /// ```
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

    /// Returns whether the hull contains only the addresses of the two.
    pub(crate) fn is_adjoined_by(self, other: Self) -> bool {
        let of = |it: Self| (it.page_shift, it.this_cpu, it.asid);
        of(self) == of(other) && self.page() <= other.end_page() && other.page() <= self.end_page()
    }

    /// Returns the number of the first page.
    const fn page(self) -> u64 {
        self.start >> self.page_shift
    }

    /// Returns the number of the page behind the last one.
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

/// The error of a range that cannot exist.
///
/// ```
/// use lazy_mmu::aarch64::Granule;
///
/// let error = Granule::Kib4.range(0x4000_0010, 1).unwrap_err();
/// assert_eq!(error.to_string(), "the address 0x40000010 is not a multiple of 0x1000");
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BadRange {
    /// A bound is not a multiple of the page size, or of the bytes that the entry translates.
    Unaligned {
        /// The bound, a virtual address in bytes.
        address: u64,
        /// The required alignment, in bytes.
        align: u64,
    },
    /// The range goes beyond the end of the 64-bit address space.
    Wraps {
        /// The first virtual address, in bytes.
        start: u64,
        /// The number of pages.
        pages: u64,
    },
    /// The granule does not have the level.
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

/// Formats as `Display` does, because people read addresses in hexadecimal.
impl fmt::Debug for BadRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BadRange({self})")
    }
}

impl core::error::Error for BadRange {}

/// The entries that an invalidation removes: leaves of one size, or the entries of all levels.
///
/// ```
/// use lazy_mmu::Scope;
/// use lazy_mmu::aarch64::Granule;
/// # type Mmu = lazy_mmu::sim::Sim;
///
/// // A block of 2 MiB was removed: one TLBI is enough.
/// let block = Granule::Kib4.entry(2, 0xffff_8000_0000_0000)?;
/// lazy_mmu::invalidate::<Mmu>(block, Scope::leaves(21));
/// # use lazy_mmu::sim::{Event, take_trace};
/// # assert_eq!(take_trace().iter().filter(|it| matches!(it, Event::Tlbi(_))).count(), 1);
///
/// // A table of 512 pages was removed: walks may have cached the entry that linked it.
/// lazy_mmu::invalidate::<Mmu>(block, Scope::ALL_LEVELS);
/// # Ok::<(), lazy_mmu::BadRange>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Scope {
    /// The binary logarithm of the bytes that one leaf translates. 0 means a page.
    entry_shift: u8,
    all_levels: bool,
}

impl Scope {
    /// The scope of leaves that are pages: enough if pages have changed (Linux:
    /// `flush_tlb_kernel_range`).
    pub const PAGES: Self = Self {
        entry_shift: 0,
        all_levels: false,
    };

    /// The scope of leaves and of the tables above them, which walks may have cached: needed if a
    /// table is removed (Linux: `__flush_tlb_kernel_pgtable`).
    pub const ALL_LEVELS: Self = Self {
        entry_shift: 0,
        all_levels: true,
    };

    /// Returns the scope of leaves that translate `1 << entry_shift` bytes each. A block then needs
    /// one TLBI, not one for each page.
    ///
    /// # Panics
    ///
    /// Panics if `entry_shift` is greater than 63.
    #[expect(clippy::cast_possible_truncation, reason = "checked")]
    pub const fn leaves(entry_shift: u32) -> Self {
        assert!(entry_shift < 64, "`entry_shift` must be less than 64");
        Self {
            entry_shift: entry_shift as u8,
            all_levels: false,
        }
    }

    /// Returns whether the scope includes the tables above the leaves.
    pub const fn all_levels(self) -> bool {
        self.all_levels
    }

    /// Returns the smallest scope that contains both.
    fn union(self, other: Self) -> Self {
        Self {
            entry_shift: self.entry_shift.min(other.entry_shift),
            all_levels: self.all_levels || other.all_levels,
        }
    }
}

/// A TLB invalidation: a range, and the entries that are removed for it.
///
/// Sections build these values, and [`Machine::invalidate`](crate::Machine::invalidate) executes
/// them.
///
/// ```
/// use lazy_mmu::aarch64::Granule;
/// use lazy_mmu::{Invalidation, Scope};
///
/// let range = Granule::Kib4.entry(2, 0xffff_8000_0000_0000)?;
/// let block = Invalidation { range, scope: Scope::leaves(21) };
/// assert_eq!(block.entry_shift(), 21);
/// let table = Invalidation { scope: Scope::ALL_LEVELS, ..block };
/// assert_eq!(block.union(table), table);
/// # Ok::<(), lazy_mmu::BadRange>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Invalidation {
    /// The range of virtual addresses.
    pub range: VirtualRange,
    /// The entries that are removed.
    pub scope: Scope,
}

impl Invalidation {
    /// Returns the binary logarithm of the bytes that one TLBI covers: those of a leaf. With all
    /// levels they are those of a page, because the range may have had a table of pages.
    pub const fn entry_shift(&self) -> u32 {
        let (page, entry) = (self.range.page_shift as u32, self.scope.entry_shift as u32);
        if self.scope.all_levels || entry < page {
            page
        } else {
            entry
        }
    }

    /// Returns the smallest invalidation that contains both. One of an empty range adds nothing.
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
        // The hull of two page sizes is everything.
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
        // An empty range does not add pages.
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
        // SAFETY: the test does not invalidate the range.
        let here = unsafe { one.on_this_cpu() };
        assert!(here.hull(here).this_cpu());
        assert!(!here.hull(one).this_cpu());
        assert!(one.is_adjoined_by(one) && !one.is_adjoined_by(two) && !one.is_adjoined_by(here));
    }
}
