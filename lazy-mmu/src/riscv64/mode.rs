//! The modes of address translation, on which tables and ranges depend.

use core::ops::Range;

use crate::protocol::range::{BadRange, VirtualRange};

/// log2 of the bytes in a page. Every mode has pages of 4 KiB.
pub(super) const PAGE_SHIFT: u32 = 12;

/// log2 of the entries in a table.
const TABLE_SHIFT: u32 = 9;

/// A mode of address translation for 64-bit harts: the number of levels in a table walk.
///
/// The source is the RISC-V privileged specification, "Sv39: Page-Based 39-bit Virtual-Memory
/// System", and the sections about Sv48 and Sv57. A page has 4 KiB, and a table has 512 entries.
/// As in the specification, level 0 has the pages, and the root table has the highest level. A leaf
/// may be at each level.
///
/// | level | bytes of a leaf | modes |
/// |---|---|---|
/// | 0 | 4 KiB | all |
/// | 1 | 2 MiB | all |
/// | 2 | 1 GiB | all |
/// | 3 | 512 GiB | Sv48, Sv57 |
/// | 4 | 256 TiB | Sv57 |
///
/// ```
/// use lazy_mmu::riscv64::Mode;
///
/// let mode = Mode::Sv39;
/// // The range of one page, and of one leaf at level 1.
/// let page = mode.range(0xffff_ffc0_0000_0000, 1)?;
/// let large = mode.entry(1, 0xffff_ffc0_0020_0000)?;
/// assert_eq!((page.pages(), large.pages()), (1, 512));
/// # Ok::<(), lazy_mmu::BadRange>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Virtual addresses of 39 bits: levels 2 to 0.
    Sv39,
    /// Virtual addresses of 48 bits: levels 3 to 0.
    Sv48,
    /// Virtual addresses of 57 bits: levels 4 to 0.
    Sv57,
}

impl Mode {
    /// Returns the level of the root table: 2, 3 or 4.
    pub const fn root_level(self) -> u8 {
        match self {
            Self::Sv39 => 2,
            Self::Sv48 => 3,
            Self::Sv57 => 4,
        }
    }

    /// Returns the width of a virtual address, in bits: 39, 48 or 57.
    ///
    /// The higher bits of an address are copies of its highest bit.
    pub const fn address_bits(self) -> u32 {
        match self {
            Self::Sv39 => 39,
            Self::Sv48 => 48,
            Self::Sv57 => 57,
        }
    }

    /// Returns the bytes of address space that one entry at `level` translates, or `None` if the
    /// mode does not have the level.
    pub const fn entry_size(self, level: u8) -> Option<u64> {
        if level > self.root_level() {
            return None;
        }
        Some(1 << (PAGE_SHIFT + TABLE_SHIFT * level as u32))
    }

    /// Returns the range of `pages` pages whose first virtual address is `start`, in bytes.
    ///
    /// The function does not check whether the mode translates the addresses. `sfence.vma` has no
    /// effect for an address that the mode does not translate, and the firmware may refuse it.
    ///
    /// # Errors
    ///
    /// * [`BadRange::Unaligned`] if `start` is not a multiple of 4096.
    /// * [`BadRange::Wraps`] if the last page is beyond the end of the 64-bit address space.
    pub const fn range(self, start: u64, pages: u64) -> Result<VirtualRange, BadRange> {
        VirtualRange::new(PAGE_SHIFT, start, pages)
    }

    /// Returns the range of whole pages with these virtual addresses. The bounds are in bytes.
    ///
    /// ```
    /// use lazy_mmu::riscv64::Mode;
    ///
    /// let four = Mode::Sv39.range_of(0x4000_0000..0x4000_4000)?;
    /// assert_eq!(four.pages(), 4);
    /// # Ok::<(), lazy_mmu::BadRange>(())
    /// ```
    ///
    /// # Errors
    ///
    /// * [`BadRange::Unaligned`] if one of the bounds is not a multiple of 4096.
    /// * [`BadRange::Wraps`] if the end is below the start.
    pub const fn range_of(self, addresses: Range<u64>) -> Result<VirtualRange, BadRange> {
        VirtualRange::of_addresses(PAGE_SHIFT, addresses)
    }

    /// Returns the range that one entry at `level` translates. Its first virtual address is
    /// `start`, in bytes.
    ///
    /// # Errors
    ///
    /// * [`BadRange::NoSuchLevel`] if the mode does not have the level.
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
        self.range(start, size >> PAGE_SHIFT)
    }
}

#[cfg(test)]
mod tests {
    use super::Mode::{Sv39, Sv48, Sv57};
    use super::{BadRange, VirtualRange};

    #[test]
    fn a_mode_has_the_levels_of_the_specification() {
        let sizes = |mode: super::Mode| [0, 1, 2, 3, 4, 5].map(|level| mode.entry_size(level));
        let [page, mega, giga, tera, peta] = [12, 21, 30, 39, 48].map(|shift| Some(1_u64 << shift));
        assert_eq!(sizes(Sv39), [page, mega, giga, None, None, None]);
        assert_eq!(sizes(Sv48), [page, mega, giga, tera, None, None]);
        assert_eq!(sizes(Sv57), [page, mega, giga, tera, peta, None]);
        for mode in [Sv39, Sv48, Sv57] {
            // The root table translates all addresses of the mode.
            let root = mode.entry_size(mode.root_level()).unwrap();
            assert_eq!(root << 9, 1 << mode.address_bits());
        }
    }

    #[test]
    fn the_range_of_an_entry_is_aligned_to_it() {
        let (address, align) = (0x1000, 0x20_0000);
        let unaligned = Err(BadRange::Unaligned { address, align });
        assert_eq!(Sv39.entry(1, 0x1000), unaligned);
        assert_eq!(Sv39.entry(3, 0), Err(BadRange::NoSuchLevel { level: 3 }));
        assert_eq!(Sv48.entry(3, 0).map(VirtualRange::pages), Ok(1 << 27));
    }
}
