//! The translation granules, on which descriptors, ranges and TLBI operands depend.

use core::ops::Range;

use crate::protocol::range::{BadRange, VirtualRange};

/// A translation granule of VMSAv8-64: the page size, and the width of the descriptors' output
/// addresses (Arm ARM DDI 0487, "Translation granules").
///
/// A kernel uses one granule for its tables. The variants `..Lpa2` are for TCR_ELx.DS = 1
/// (FEAT_LPA2). Their output addresses have 52 bits. Bits 9:8 of such a descriptor are bits 51:50
/// of the address, and not SH. The same 64 bits therefore mean another address and another
/// shareability than without LPA2.
///
/// The type covers virtual addresses of 48 bits: levels 0 to 3.
///
/// ```
/// use lazy_mmu::aarch64::{Granule, PAGE_LEVEL};
///
/// let granule = Granule::Kib4;
/// // The range of one page, and of one block at level 2.
/// let page = granule.range(0xffff_8000_0000_0000, 1)?;
/// let block = granule.entry(2, 0xffff_8000_0020_0000)?;
/// assert_eq!((page.pages(), block.pages()), (1, 512));
///
/// // The levels of its tables.
/// assert_eq!((granule.first_level(), PAGE_LEVEL), (0, 3));
/// assert_eq!(granule.entry_size(2), Some(0x20_0000)); // bytes
/// assert!(granule.has_blocks(2) && !granule.has_blocks(PAGE_LEVEL));
/// assert_eq!(granule.contiguous_entries(PAGE_LEVEL), Some(16));
/// # Ok::<(), lazy_mmu::BadRange>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Granule {
    /// 4 KiB pages, tables of 512 entries, levels 0 to 3; output addresses of 48 bits.
    Kib4,
    /// 16 KiB pages, tables of 2048 entries, levels 0 to 3; output addresses of 48 bits.
    Kib16,
    /// 64 KiB pages, tables of 8192 entries, levels 1 to 3; output addresses of 48 bits.
    Kib64,
    /// [`Kib4`](Self::Kib4) with output addresses of 52 bits, and with blocks at level 0.
    Kib4Lpa2,
    /// [`Kib16`](Self::Kib16) with output addresses of 52 bits, and with blocks at level 1.
    Kib16Lpa2,
}

/// The level at which valid leaves are pages. [`Granule`] shows an example.
pub const PAGE_LEVEL: u8 = 3;

impl Granule {
    /// Returns log2 of the page size in bytes: 12, 14 or 16.
    pub const fn page_shift(self) -> u32 {
        match self {
            Self::Kib4 | Self::Kib4Lpa2 => 12,
            Self::Kib16 | Self::Kib16Lpa2 => 14,
            Self::Kib64 => 16,
        }
    }

    /// Returns the page size, in bytes.
    pub const fn page_size(self) -> u64 {
        1 << self.page_shift()
    }

    /// Returns the number of entries in a full table. An entry has 8 bytes.
    pub const fn entries(self) -> usize {
        1 << (self.page_shift() - 3)
    }

    /// Returns the first level of a table walk for 48-bit addresses: 0, or 1 with 64 KiB pages.
    ///
    /// [`Granule`] shows an example.
    pub const fn first_level(self) -> u8 {
        match self {
            Self::Kib64 => 1,
            _ => 0,
        }
    }

    /// Returns the bytes of address space that one entry at `level` translates, or `None` if the
    /// granule does not have the level.
    ///
    /// [`Granule`] shows an example.
    pub const fn entry_size(self, level: u8) -> Option<u64> {
        if level < self.first_level() || level > PAGE_LEVEL {
            return None;
        }
        // Each level resolves log2 of the entries in a table.
        let below = (PAGE_LEVEL - level) as u32;
        Some(1 << (self.page_shift() + below * (self.page_shift() - 3)))
    }

    /// Whether `level` has block descriptors. [`Granule`] shows an example.
    ///
    /// * [`Kib4`](Self::Kib4): levels 1 and 2. [`Kib4Lpa2`](Self::Kib4Lpa2): also level 0.
    /// * [`Kib16`](Self::Kib16): level 2. [`Kib16Lpa2`](Self::Kib16Lpa2): also level 1.
    /// * [`Kib64`](Self::Kib64): level 2. The type does not cover the blocks of FEAT_LPA at level
    ///   1.
    pub const fn has_blocks(self, level: u8) -> bool {
        match self {
            Self::Kib4 => matches!(level, 1 | 2),
            Self::Kib16 | Self::Kib64 => level == 2,
            Self::Kib4Lpa2 => matches!(level, 0..=2),
            Self::Kib16Lpa2 => matches!(level, 1 | 2),
        }
    }

    /// Returns the number of entries in a contiguous group at `level`, or `None` if leaves at
    /// `level` cannot be contiguous (Arm ARM DDI 0487, "The Contiguous bit").
    ///
    /// [`Granule`] shows an example.
    pub const fn contiguous_entries(self, level: u8) -> Option<usize> {
        match (self, level) {
            (Self::Kib4 | Self::Kib4Lpa2, 1..=PAGE_LEVEL) => Some(16),
            (Self::Kib16 | Self::Kib16Lpa2, PAGE_LEVEL) => Some(128),
            (Self::Kib16 | Self::Kib16Lpa2 | Self::Kib64, 2) | (Self::Kib64, PAGE_LEVEL) => {
                Some(32)
            }
            _ => None,
        }
    }

    /// Whether the descriptors have the format of FEAT_LPA2: TCR_ELx.DS is 1.
    pub const fn is_lpa2(self) -> bool {
        matches!(self, Self::Kib4Lpa2 | Self::Kib16Lpa2)
    }

    /// Returns the width of an output address in bits: 48, or 52 with LPA2.
    pub const fn address_bits(self) -> u32 {
        if self.is_lpa2() { 52 } else { 48 }
    }

    /// Returns the range of `pages` pages whose first virtual address is `start`, in bytes.
    ///
    /// # Errors
    ///
    /// * [`BadRange::Unaligned`] if `start` is not a multiple of the page size.
    /// * [`BadRange::Wraps`] if the last page is beyond the end of the 64-bit address space.
    pub const fn range(self, start: u64, pages: u64) -> Result<VirtualRange, BadRange> {
        VirtualRange::new(self.page_shift(), start, pages)
    }

    /// Returns the range of whole pages with these virtual addresses. The bounds are in bytes.
    ///
    /// ```
    /// use lazy_mmu::aarch64::Granule;
    ///
    /// let four = Granule::Kib4.range_of(0x4000_0000..0x4000_4000)?;
    /// assert_eq!(four.pages(), 4);
    /// # Ok::<(), lazy_mmu::BadRange>(())
    /// ```
    ///
    /// # Errors
    ///
    /// * [`BadRange::Unaligned`] if one of the bounds is not a multiple of the page size.
    /// * [`BadRange::Wraps`] if the end is below the start.
    pub const fn range_of(self, addresses: Range<u64>) -> Result<VirtualRange, BadRange> {
        VirtualRange::of_addresses(self.page_shift(), addresses)
    }

    /// Returns the range that one entry at `level` translates. Its first virtual address is
    /// `start`, in bytes.
    ///
    /// # Errors
    ///
    /// * [`BadRange::NoSuchLevel`] if the granule does not have the level.
    /// * [`BadRange::Unaligned`] if `start` is not a multiple of the bytes that the entry
    ///   translates.
    /// * [`BadRange::Wraps`] as for [`range`](Self::range).
    pub const fn entry(self, level: u8, start: u64) -> Result<VirtualRange, BadRange> {
        let Some(size) = self.entry_size(level) else {
            return Err(BadRange::NoSuchLevel { level });
        };
        if start & (size - 1) != 0 {
            return Err(BadRange::Unaligned {
                address: start,
                align: size,
            });
        }
        self.range(start, size >> self.page_shift())
    }

    /// Returns the granule with the page size of `range`, without LPA2, because LPA2 does not
    /// change virtual addresses.
    ///
    /// # Panics
    ///
    /// If there is no granule with this page size.
    pub(super) const fn of(range: VirtualRange) -> Self {
        match range.page_shift() {
            12 => Self::Kib4,
            14 => Self::Kib16,
            16 => Self::Kib64,
            _ => panic!("a granule does not exist for the page size of the range"),
        }
    }

    /// Returns TG of a TLB range operand, for pages of `1 << page_shift` bytes.
    pub(super) const fn tlbi_tg(page_shift: u32) -> u64 {
        match page_shift {
            12 => 0b01,
            14 => 0b10,
            _ => 0b11,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Granule::{Kib4, Kib16, Kib64};
    use super::{BadRange, VirtualRange};

    #[test]
    fn the_range_of_an_entry_is_aligned_to_it() {
        assert_eq!(
            Kib4.entry(2, 0x1000),
            Err(BadRange::Unaligned {
                address: 0x1000,
                align: 0x20_0000
            })
        );
        assert_eq!(Kib64.entry(0, 0), Err(BadRange::NoSuchLevel { level: 0 }));
        assert_eq!(Kib16.entry(2, 0).map(VirtualRange::pages), Ok(2048));
    }
}
