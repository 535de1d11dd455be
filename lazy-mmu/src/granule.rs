//! The three translation granules, as far as descriptors and TLB operands depend on them.

/// A translation granule of VMSAv8-64, with 48-bit addresses (Arm ARM DDI 0487, "Translation granules").
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Granule {
    /// 4 KiB pages, 512 entries a table, levels 0 to 3.
    Kib4,
    /// 16 KiB pages, 2048 entries a table, levels 0 to 3.
    Kib16,
    /// 64 KiB pages, 8192 entries a table, levels 1 to 3.
    Kib64,
}

/// The level whose valid leaves are pages.
pub const PAGE_LEVEL: u8 = 3;

impl Granule {
    /// log2 of the bytes in a page: 12, 14 or 16.
    pub const fn page_shift(self) -> u32 {
        match self {
            Self::Kib4 => 12,
            Self::Kib16 => 14,
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
            Self::Kib4 | Self::Kib16 => 0,
            Self::Kib64 => 1,
        }
    }

    /// The bytes of address space that one entry at `level` translates; `None` if there is no such level.
    pub const fn entry_size(self, level: u8) -> Option<u64> {
        if level < self.first_level() || level > PAGE_LEVEL {
            return None;
        }
        // Each level resolves as many bits as a table has entries.
        let below = (PAGE_LEVEL - level) as u32;
        Some(1 << (self.page_shift() + below * (self.page_shift() - 3)))
    }

    /// Whether there are block descriptors at `level`: at 1 and 2 with 4 KiB pages, at 2 with the others.
    ///
    /// (Those of FEAT_LPA and FEAT_LPA2, for 52-bit addresses, are not counted.)
    pub const fn has_blocks(self, level: u8) -> bool {
        match self {
            Self::Kib4 => matches!(level, 1 | 2),
            Self::Kib16 | Self::Kib64 => level == 2,
        }
    }

    /// TG in the operand of a TLB range invalidation.
    pub(crate) const fn tlbi_tg(self) -> u64 {
        match self {
            Self::Kib4 => 0b01,
            Self::Kib16 => 0b10,
            Self::Kib64 => 0b11,
        }
    }
}
