//! The three translation granules, as far as descriptors and TLB operands depend on them.

use core::ops::Range;

use crate::protocol::range::{BadRange, VirtualRange};

/// A translation granule of VMSAv8-64, and how wide the output addresses of its descriptors are
/// (Arm ARM DDI 0487, "Translation granules").
///
/// A kernel uses one for its tables. The variants `..Lpa2` are for TCR_ELx.DS = 1 (FEAT_LPA2): they
/// have output addresses of 52 bits, whose bits 51:50 stand in bits 9:8 of a descriptor, where SH
/// stands otherwise. So the same 64 bits mean another address, and another shareability. Virtual
/// addresses of 48 bits are covered, which are levels 0 to 3.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Granule {
    /// 4 KiB pages, 512 entries a table, levels 0 to 3; output addresses of 48 bits.
    Kib4,
    /// 16 KiB pages, 2048 entries a table, levels 0 to 3; output addresses of 48 bits.
    Kib16,
    /// 64 KiB pages, 8192 entries a table, levels 1 to 3; output addresses of 48 bits.
    Kib64,
    /// [`Kib4`](Self::Kib4) with output addresses of 52 bits, and with blocks at level 0.
    Kib4Lpa2,
    /// [`Kib16`](Self::Kib16) with output addresses of 52 bits, and with blocks at level 1.
    Kib16Lpa2,
}

/// The level whose valid leaves are pages.
pub const PAGE_LEVEL: u8 = 3;

impl Granule {
    /// log2 of the bytes in a page: 12, 14 or 16.
    pub const fn page_shift(self) -> u32 {
        match self {
            Self::Kib4 | Self::Kib4Lpa2 => 12,
            Self::Kib16 | Self::Kib16Lpa2 => 14,
            Self::Kib64 => 16,
        }
    }

    /// The bytes in a page.
    pub const fn page_size(self) -> u64 {
        1 << self.page_shift()
    }

    /// The entries in a full table, of 8 bytes each.
    pub const fn entries(self) -> usize {
        1 << (self.page_shift() - 3)
    }

    /// The first level of a table walk for 48-bit addresses: 0, with 64 KiB pages 1.
    pub const fn first_level(self) -> u8 {
        match self {
            Self::Kib64 => 1,
            _ => 0,
        }
    }

    /// The bytes of address space that one entry at `level` translates; `None` if there is no such
    /// level.
    pub const fn entry_size(self, level: u8) -> Option<u64> {
        if level < self.first_level() || level > PAGE_LEVEL {
            return None;
        }
        // Each level resolves as many bits as a table has entries.
        let below = (PAGE_LEVEL - level) as u32;
        Some(1 << (self.page_shift() + below * (self.page_shift() - 3)))
    }

    /// Whether there are block descriptors at `level`: at 1 and 2 with 4 KiB pages, at 2 with the
    /// others; with LPA2 at the level above too. (Blocks of 64 KiB pages at level 1, of FEAT_LPA,
    /// are not covered.)
    pub const fn has_blocks(self, level: u8) -> bool {
        match self {
            Self::Kib4 => matches!(level, 1 | 2),
            Self::Kib16 | Self::Kib64 => level == 2,
            Self::Kib4Lpa2 => matches!(level, 0..=2),
            Self::Kib16Lpa2 => matches!(level, 1 | 2),
        }
    }

    /// How many entries at `level` one contiguous group has; `None` if leaves cannot be contiguous
    /// there (Arm ARM DDI 0487, "The Contiguous bit").
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

    /// The bits of an output address: 48, with LPA2 52.
    pub const fn address_bits(self) -> u32 {
        if self.is_lpa2() { 52 } else { 48 }
    }

    /// `pages` pages from the virtual address `start` (in bytes) on.
    ///
    /// # Errors
    ///
    /// [`BadRange::Unaligned`] if `start` is not a multiple of the page size, [`BadRange::Wraps`]
    /// if the last page is beyond the end of the 64-bit address space.
    pub const fn range(self, start: u64, pages: u64) -> Result<VirtualRange, BadRange> {
        VirtualRange::new(self.page_shift(), start, pages)
    }

    /// The pages that `addresses` (in bytes) cover.
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
    /// [`BadRange::Unaligned`] if one of the bounds is not a multiple of the page size,
    /// [`BadRange::Wraps`] if the end is below the start.
    pub const fn range_of(self, addresses: Range<u64>) -> Result<VirtualRange, BadRange> {
        VirtualRange::of_addresses(self.page_shift(), addresses)
    }

    /// The addresses that one entry at `level` translates, of which `start` is the first.
    ///
    /// # Errors
    ///
    /// [`BadRange::NoSuchLevel`], and as for [`range`](Self::range), with the alignment of the
    /// entry.
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

    /// The granule whose pages `range` has. LPA2 does not matter to virtual addresses.
    ///
    /// # Panics
    ///
    /// If there is none with pages of that size.
    pub(super) const fn of(range: VirtualRange) -> Self {
        match range.page_shift() {
            12 => Self::Kib4,
            14 => Self::Kib16,
            16 => Self::Kib64,
            _ => panic!("the range's pages have the size of no granule"),
        }
    }

    /// TG in the operand of a TLB range invalidation, for pages of `1 << page_shift` bytes.
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
