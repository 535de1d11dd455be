//! TLB invalidation, inside sections and outside: which instructions, with which operands, between which barriers.
//!
//! An invalidation is complete on its own: `dsb ishst`, so that no walk can find the old entry any
//! more; the TLBI instructions; `dsb ish`, which waits until every CPU of the Inner Shareable
//! domain has done them, on many CPUs followed by one more TLBI and `dsb ish`
//! ([`tlb_barrier`](crate::aarch64::tlb_barrier)); `isb` (Arm ARM DDI 0487, "Ordering and
//! completion of TLB maintenance instructions"; Linux, arm64: `flush_tlb_kernel_range`). That does
//! what the barrier pair does, and more: so an invalidation in a section settles what is pending,
//! and the leave that follows emits nothing.
//!
//! The instructions are those "for all ASIDs", of the kernel's own regime: kernel mappings are global, or, with page-table
//! isolation, have more than one ASID.

use core::fmt;

use crate::backend::Backend;
use crate::descriptor::{Granule, PAGE_LEVEL};
use crate::nesting::Nesting;
use crate::raw;
use crate::section::LazyMmu;
use crate::visible::{self, Visible};

/// Whole pages of virtual addresses, which do not run over the end of the address space.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VirtualRange {
    granule: Granule,
    start: u64,
    pages: u64,
}

impl VirtualRange {
    /// `pages` pages of `granule` from the virtual address `start` (in bytes) on.
    ///
    /// # Errors
    ///
    /// [`BadRange::Unaligned`] if `start` is not a multiple of the page size, [`BadRange::Wraps`] if the last page is
    /// beyond the end of the 64-bit address space.
    pub const fn new(granule: Granule, start: u64, pages: u64) -> Result<Self, BadRange> {
        if start & (granule.page_size() - 1) != 0 {
            return Err(BadRange::Unaligned {
                address: start,
                align: granule.page_size(),
            });
        }
        // Pages up to the end, of which address 0 has one too many for 64 bits of bytes, not of pages.
        let room = ((u64::MAX - start) >> granule.page_shift()) + 1;
        if pages > room {
            return Err(BadRange::Wraps { start, pages });
        }
        Ok(Self {
            granule,
            start,
            pages,
        })
    }

    /// What one entry at `level` translates, of which `start` is the first address.
    ///
    /// # Errors
    ///
    /// [`BadRange::NoSuchLevel`], and as for [`new`](Self::new), with the alignment of the entry.
    pub const fn of_entry(granule: Granule, level: u8, start: u64) -> Result<Self, BadRange> {
        let Some(size) = granule.entry_size(level) else {
            return Err(BadRange::NoSuchLevel { level });
        };
        if start & (size - 1) != 0 {
            return Err(BadRange::Unaligned {
                address: start,
                align: size,
            });
        }
        Self::new(granule, start, size >> granule.page_shift())
    }

    /// The granule whose pages it counts.
    pub const fn granule(self) -> Granule {
        self.granule
    }

    /// The first virtual address.
    pub const fn start(self) -> u64 {
        self.start
    }

    /// How many pages it has.
    pub const fn pages(self) -> u64 {
        self.pages
    }

    /// The smallest range with both in it; an empty one adds nothing.
    ///
    /// # Panics
    ///
    /// If the granules differ: a kernel has one.
    #[must_use]
    pub const fn hull(self, other: Self) -> Self {
        assert!(
            self.granule as u8 == other.granule as u8,
            "ranges of different granules"
        );
        if self.pages == 0 {
            return other;
        }
        if other.pages == 0 {
            return self;
        }
        let shift = self.granule.page_shift();
        let first = min(self.start >> shift, other.start >> shift);
        let end = max(
            (self.start >> shift) + self.pages,
            (other.start >> shift) + other.pages,
        );
        Self {
            granule: self.granule,
            start: first << shift,
            pages: end - first,
        }
    }
}

const fn min(a: u64, b: u64) -> u64 {
    if a < b { a } else { b }
}

const fn max(a: u64, b: u64) -> u64 {
    if a > b { a } else { b }
}

/// What is wrong with a range.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum BadRange {
    /// The start is not a multiple of the page size, or of what the entry translates.
    Unaligned {
        /// The start.
        address: u64,
        /// What it must be a multiple of, in bytes.
        align: u64,
    },
    /// It runs over the end of the address space.
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

impl core::error::Error for BadRange {}

/// Which entries of the walk are forgotten.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// Leaves only: enough when a page or block has changed (Linux: `flush_tlb_kernel_range`).
    LastLevel,
    /// Table entries that the walks have cached too: needed when a table is taken away (Linux:
    /// `__flush_tlb_kernel_pgtable`).
    AllLevels,
}

/// One TLB invalidation instruction, for all ASIDs of the kernel's regime, Inner Shareable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tlbi {
    /// By address: TLBI VAALE1IS, VAAE1IS (EL2: VALE2IS, VAE2IS).
    Page {
        /// The 64-bit operand: VA\[55:12\] in bits 43:0. The level hint (TTL, bits 47:44) is 0: any level.
        operand: u64,
        /// Which entries.
        scope: Scope,
    },
    /// By range, FEAT_TLBIRANGE: TLBI RVAALE1IS, RVAAE1IS (EL2: RVALE2IS, RVAE2IS).
    Range {
        /// The 64-bit operand: BaseADDR in bits 36:0, TTL 38:37 (0), NUM 43:39, SCALE 45:44, TG 47:46.
        operand: u64,
        /// Which entries.
        scope: Scope,
    },
    /// Everything: TLBI VMALLE1IS (EL2: ALLE2IS).
    All,
}

/// More instructions than this are not executed one by one: then everything is invalidated. (Linux,
/// arm64, has such a limit too, `MAX_DVM_OPS`: the entries of a table, which are so many with pages
/// of 4 KiB.)
pub const MAX_TLBI_OPS: u64 = 512;

impl Tlbi {
    /// The instruction for the page or block at `address`.
    pub const fn page(address: u64, scope: Scope) -> Self {
        Self::Page {
            operand: (address >> 12) & ((1 << 44) - 1),
            scope,
        }
    }

    /// The instruction for `(num + 1) << (5 * scale + 1)` pages from `address` on; `num` is 0 to 31, `scale` 0 to 3.
    const fn range(granule: Granule, address: u64, num: u64, scale: u64, scope: Scope) -> Self {
        let base = (address >> granule.page_shift()) & ((1 << 37) - 1);
        Self::Range {
            operand: base | num << 39 | scale << 44 | granule.tlbi_tg() << 46,
            scope,
        }
    }
}

/// The instructions that invalidate `range`, which leaves at `level` translated. The unit is the
/// leaf: one instruction for a block. With [`Scope::AllLevels`] the unit is the page, whatever the
/// level, because a table may have been there.
///
/// By address, one instruction a unit, and everything if that were more than [`MAX_TLBI_OPS`]. With
/// `has_tlb_range`, by ranges and at most one address, for more than one unit and up to the 2 Mi
/// pages that one range instruction reaches. (With [LPA2](Granule::Kib4Lpa2) not by ranges, whose
/// operands are others there.)
///
/// # Panics
///
/// If the range's granule has no such level.
pub fn instructions(
    range: VirtualRange,
    level: u8,
    scope: Scope,
    has_tlb_range: bool,
) -> impl Iterator<Item = Tlbi> {
    /// The pages that the largest range instruction reaches.
    const MOST: u64 = 32 << 16;

    let VirtualRange {
        granule,
        start,
        pages,
    } = range;
    let shift = granule.page_shift();
    let unit = match scope {
        Scope::LastLevel => level,
        Scope::AllLevels => PAGE_LEVEL,
    };
    let unit = granule.entry_size(unit).expect("a level of the granule") >> shift;
    let by_range = has_tlb_range && !granule.is_lpa2() && pages > unit && pages <= MOST;
    let mut all = !by_range && pages.div_ceil(unit) > MAX_TLBI_OPS;
    let mut address = start;
    let mut left = pages;
    core::iter::from_fn(move || {
        if core::mem::take(&mut all) {
            left = 0;
            return Some(Tlbi::All);
        }
        if left == 0 {
            return None;
        }
        let (instruction, done) = if by_range && left > 1 {
            // The largest unit of 2, 64, 2048 or 65536 pages that fits, as often as it does.
            let scale = u64::from((left.ilog2() - 1) / 5).min(3);
            let log2 = 5 * scale + 1;
            let num = (left >> log2).min(32) - 1;
            let instruction = Tlbi::range(granule, address, num, scale, scope);
            (instruction, (num + 1) << log2)
        } else {
            (Tlbi::page(address, scope), unit)
        };
        // Past the last page there may be no address.
        address = address.wrapping_add(done << shift);
        left = left.saturating_sub(done);
        Some(instruction)
    })
}

/// The whole sequence, but for the bits.
#[inline]
fn sequence<B: Backend>(instructions: impl Iterator<Item = Tlbi>) {
    B::table_barrier();
    for instruction in instructions {
        B::tlb_invalidate(instruction);
    }
    B::tlb_barrier();
}

/// Removes the leaves of `range` from every TLB, page by page, by code that has no section in hand;
/// complete when it returns.
///
/// What the calling thread has pending is settled by it. (In an interrupt the pending bit is the interrupted thread's, and
/// stays.)
///
/// ```
/// use lazy_mmu::descriptor::Granule;
/// use lazy_mmu::sim::{Event, Sim, pairs, take_trace};
/// use lazy_mmu::tlb::{self, VirtualRange};
///
/// let page = VirtualRange::new(Granule::Kib4, 0xffff_8000_0000_0000, 1).unwrap();
/// lazy_mmu::with::<Sim, _>(|mmu| {
///     mmu.note_store();
///     tlb::flush_tlb_kernel_range::<Sim>(page);
/// });
/// let trace = take_trace();
/// assert_eq!(trace[1..4], [Event::DsbIshst, Event::Tlbi(page.start()), Event::DsbIsh]);
/// assert_eq!(pairs(&trace), 0); // the invalidation does what the pair does, and more
/// ```
#[inline]
pub fn flush_tlb_kernel_range<B: Backend>(range: VirtualRange) {
    flush::<B>(range, PAGE_LEVEL, Scope::LastLevel);
}

/// As [`flush_tlb_kernel_range`], and removes what walks have cached of the tables above: for a range whose table is taken
/// away.
#[inline]
pub fn flush_tlb_kernel_pgtable<B: Backend>(range: VirtualRange) {
    flush::<B>(range, PAGE_LEVEL, Scope::AllLevels);
}

/// Removes everything of the kernel's regime from every TLB. As [`flush_tlb_kernel_range`].
#[inline]
pub fn flush_tlb_all<B: Backend>() {
    raw::take_own_pending::<B>();
    sequence::<B>(core::iter::once(Tlbi::All));
}

#[inline]
pub(crate) fn flush<B: Backend>(range: VirtualRange, level: u8, scope: Scope) {
    raw::take_own_pending::<B>();
    sequence::<B>(instructions(range, level, scope, B::has_tlb_range()));
}

impl<'id, L: Nesting, B: Backend> LazyMmu<'id, L, B> {
    /// Removes the leaves of `range` from every TLB, page by page; complete when it returns.
    ///
    /// It settles what is pending: the result is the same proof as that of [`flush`](Self::flush).
    #[inline]
    pub fn flush_tlb_kernel_range(&mut self, range: VirtualRange) -> Visible<'_, 'id, B> {
        self.flush_tlb(range, PAGE_LEVEL, Scope::LastLevel)
    }

    /// As [`flush_tlb_kernel_range`](Self::flush_tlb_kernel_range), and removes what walks have cached of the tables
    /// above: for a range whose table is taken away.
    #[inline]
    pub fn flush_tlb_kernel_pgtable(&mut self, range: VirtualRange) -> Visible<'_, 'id, B> {
        self.flush_tlb(range, PAGE_LEVEL, Scope::AllLevels)
    }

    /// Removes everything of the kernel's regime from every TLB. As
    /// [`flush_tlb_kernel_range`](Self::flush_tlb_kernel_range).
    #[inline]
    pub fn flush_tlb_all(&mut self) -> Visible<'_, 'id, B> {
        self.take_pending();
        sequence::<B>(core::iter::once(Tlbi::All));
        visible::proof()
    }

    #[inline]
    pub(crate) fn flush_tlb(
        &mut self,
        range: VirtualRange,
        level: u8,
        scope: Scope,
    ) -> Visible<'_, 'id, B> {
        self.take_pending();
        sequence::<B>(instructions(range, level, scope, B::has_tlb_range()));
        visible::proof()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;
    use std::vec::Vec;

    const KERNEL: u64 = 0xffff_8000_0000_0000;

    fn range(granule: Granule, start: u64, pages: u64) -> VirtualRange {
        VirtualRange::new(granule, start, pages).unwrap()
    }

    /// The instructions; one that makes no headway fails, and does not go on for ever.
    fn instructions(
        range: VirtualRange,
        scope: Scope,
        has_tlb_range: bool,
    ) -> impl Iterator<Item = Tlbi> {
        let limit = usize::try_from(MAX_TLBI_OPS).unwrap();
        super::instructions(range, PAGE_LEVEL, scope, has_tlb_range)
            .enumerate()
            .map(move |(number, instruction)| {
                assert!(number < limit, "more than {limit} instructions");
                instruction
            })
    }

    #[test]
    fn b20_operands_by_address() {
        // Worked by hand from the instruction's page: VA[55:12], nothing else.
        for (address, expected) in [
            (0x0000_0000_0000_0000, 0x000_0000_0000),
            (0x0000_0000_4000_1000, 0x000_0004_0001),
            (0xffff_8000_0000_0000, 0xff8_0000_0000),
            (0xffff_ffff_ffff_f000, 0xfff_ffff_ffff),
            (0x00ff_0000_0000_3000, 0xff0_0000_0003),
        ] {
            let scope = Scope::LastLevel;
            let operand = expected;
            assert_eq!(Tlbi::page(address, scope), Tlbi::Page { operand, scope });
        }
    }

    #[test]
    fn b20_operands_by_range() {
        let scope = Scope::AllLevels;
        let operands = |granule, start, pages| -> Vec<u64> {
            instructions(range(granule, start, pages), scope, true)
                .map(|it| match it {
                    Tlbi::Range { operand, .. } => operand,
                    Tlbi::Page { operand, .. } => operand | 1 << 63,
                    Tlbi::All => u64::MAX,
                })
                .collect()
        };
        // Worked by hand: TG << 46 | SCALE << 44 | NUM << 39 | VA >> shift.
        assert_eq!(operands(Granule::Kib4, 0x4000_0000, 2), [0x4000_0004_0000]);
        assert_eq!(operands(Granule::Kib16, 0x4000_0000, 2), [0x8000_0001_0000]);
        assert_eq!(operands(Granule::Kib64, 0x4000_0000, 2), [0xc000_0000_4000]);
        // 512 = 8 * 64: SCALE 1, NUM 7.
        assert_eq!(
            operands(Granule::Kib4, 0, 512),
            [0x4000_0000_0000 | 1 << 44 | 7 << 39]
        );
        // 67 = 64 + 2 + 1.
        assert_eq!(
            operands(Granule::Kib4, 0, 67),
            [0x4000_0000_0000 | 1 << 44, 0x4000_0000_0040, 0x42 | 1 << 63]
        );
        // The upper half: VA[48:12].
        assert_eq!(
            operands(Granule::Kib4, KERNEL, 2),
            [0x4000_0000_0000 | 0x18_0000_0000]
        );
        // As far as one instruction reaches, and one page more.
        assert_eq!(
            operands(Granule::Kib4, 0, 32 << 16),
            [0x4000_0000_0000 | 3 << 44 | 31 << 39]
        );
        assert_eq!(operands(Granule::Kib4, 0, (32 << 16) + 1), [u64::MAX]);
    }

    #[test]
    fn b20_every_page_is_invalidated_once() {
        for granule in [Granule::Kib4, Granule::Kib16, Granule::Kib64] {
            // Miri is slow, and looks for something else.
            let most = if cfg!(miri) { 100 } else { 3000 };
            for pages in (0..most).chain([65_535, 65_536, 65_537, 100_000, 32 << 16]) {
                let mut next = 0;
                for instruction in instructions(range(granule, 0, pages), Scope::LastLevel, true) {
                    match instruction {
                        Tlbi::Page { operand, .. } => {
                            assert_eq!(operand << 12 >> granule.page_shift(), next);
                            next += 1;
                        }
                        Tlbi::Range { operand, .. } => {
                            assert_eq!(operand & ((1 << 37) - 1), next);
                            let (num, scale) = (operand >> 39 & 31, operand >> 44 & 3);
                            assert_eq!(operand >> 46, granule.tlbi_tg());
                            next += (num + 1) << (5 * scale + 1);
                        }
                        Tlbi::All => panic!("not so many"),
                    }
                }
                assert_eq!(next, pages, "{granule:?}");
            }
        }
    }

    #[test]
    fn b20_too_many_pages_are_everything() {
        let all = |pages| -> Vec<Tlbi> {
            instructions(range(Granule::Kib4, 0, pages), Scope::LastLevel, false).collect()
        };
        assert_eq!(all(0), []);
        assert_eq!(all(MAX_TLBI_OPS).len(), 512);
        assert_eq!(all(MAX_TLBI_OPS + 1), [Tlbi::All]);
    }

    #[test]
    fn b30_the_unit_is_the_entry() {
        use Granule::{Kib4, Kib4Lpa2, Kib16, Kib64};
        let many = |granule: Granule, level, blocks: u64, scope, has_tlb_range| -> Vec<Tlbi> {
            let size = granule.entry_size(level).unwrap();
            let pages = blocks * (size >> granule.page_shift());
            super::instructions(range(granule, 0, pages), level, scope, has_tlb_range).collect()
        };
        let last = Scope::LastLevel;
        for (granule, level) in [(Kib4, 1), (Kib4, 2), (Kib4Lpa2, 0), (Kib16, 2), (Kib64, 2)] {
            let size = granule.entry_size(level).unwrap();
            for has_tlb_range in [false, true] {
                // A block: one instruction, by its address.
                let one = many(granule, level, 1, last, has_tlb_range);
                assert_eq!(one, [Tlbi::page(0, last)]);
            }
            let three = [0, size, 2 * size].map(|at| Tlbi::page(at, last));
            assert_eq!(many(granule, level, 3, last, false), three);
            // The limit counts instructions.
            assert_eq!(many(granule, level, MAX_TLBI_OPS, last, false).len(), 512);
            assert_eq!(
                many(granule, level, MAX_TLBI_OPS + 1, last, false),
                [Tlbi::All]
            );
        }
        // 3 * 512 pages are 24 * 64: SCALE 1, NUM 23.
        let operand = 0x4000_0000_0000 | 1 << 44 | 23 << 39;
        let scope = last;
        assert_eq!(
            many(Kib4, 2, 3, last, true),
            [Tlbi::Range { operand, scope }]
        );
        // Beyond the reach of a range instruction by address again: 9 blocks of 1 GiB.
        assert_eq!(many(Kib4, 1, 9, last, true).len(), 9);
        // Where a table may have been, every page below it.
        assert_eq!(many(Kib4, 2, 1, Scope::AllLevels, false).len(), 512);
        assert_eq!(many(Kib4, 1, 1, Scope::AllLevels, false), [Tlbi::All]);
        // LPA2 has other operands for ranges, so there are none.
        assert_eq!(many(Kib4Lpa2, 3, 2, last, true).len(), 2);
    }

    #[test]
    fn bad_ranges_are_refused() {
        use Granule::{Kib4, Kib16, Kib64};
        let unaligned = |address, align| Err(BadRange::Unaligned { address, align });
        assert_eq!(
            VirtualRange::new(Kib4, 0x1001, 1),
            unaligned(0x1001, 0x1000)
        );
        assert_eq!(
            VirtualRange::new(Kib16, 0x1000, 1),
            unaligned(0x1000, 0x4000)
        );
        assert_eq!(
            VirtualRange::new(Kib64, 0x4000, 1),
            unaligned(0x4000, 0x1_0000)
        );
        let last = 0xffff_ffff_ffff_f000;
        assert!(VirtualRange::new(Kib4, last, 1).is_ok());
        assert_eq!(
            VirtualRange::new(Kib4, last, 2),
            Err(BadRange::Wraps {
                start: last,
                pages: 2
            })
        );
        assert!(VirtualRange::new(Kib4, 0, 1 << 52).is_ok());
        assert!(VirtualRange::new(Kib4, 0, (1 << 52) + 1).is_err());
        assert!(VirtualRange::new(Kib4, KERNEL, u64::MAX).is_err());
        assert_eq!(
            VirtualRange::of_entry(Kib4, 2, 0x1000),
            unaligned(0x1000, 0x20_0000)
        );
        assert_eq!(
            VirtualRange::of_entry(Kib64, 0, 0),
            Err(BadRange::NoSuchLevel { level: 0 })
        );
        assert_eq!(VirtualRange::of_entry(Kib16, 2, 0).unwrap().pages(), 2048);
    }

    #[test]
    fn bad_ranges_say_what_is_wrong() {
        use std::string::ToString as _;

        for (error, text) in [
            (
                VirtualRange::new(Granule::Kib16, 0x1000, 1).unwrap_err(),
                "the address 0x1000 is not a multiple of 0x4000",
            ),
            (
                VirtualRange::new(Granule::Kib4, 0xffff_ffff_ffff_f000, 2).unwrap_err(),
                "2 pages from 0xfffffffffffff000 on run over the end of the address space",
            ),
            (
                VirtualRange::of_entry(Granule::Kib64, 0, 0).unwrap_err(),
                "the granule has no level 0",
            ),
        ] {
            assert_eq!(error.to_string(), text);
        }
    }

    #[test]
    fn the_hull_has_both() {
        let low = range(Granule::Kib4, 0x1000, 2);
        let high = range(Granule::Kib4, 0xffff_ffff_ffff_f000, 1);
        let hull = low.hull(high);
        assert_eq!((hull.start(), hull.pages()), (0x1000, (1 << 52) - 1));
        assert_eq!(high.hull(low), hull);
        let none = range(Granule::Kib4, 0x8000, 0);
        assert_eq!(low.hull(none), low);
        assert_eq!(none.hull(low), low);
    }
}
