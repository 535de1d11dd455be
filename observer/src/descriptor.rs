//! The descriptors of stage 1 with the 4 KiB granule (Arm ARM DDI 0487, "Translation table
//! descriptor formats").

/// A descriptor, at a level from 0 to 3.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Descriptor {
    pub(crate) bits: u64,
    pub(crate) level: u32,
}

const TABLE: u64 = 1 << 1;
/// AttrIndx, bits 4:2: the memory type.
const ATTR_INDEX: u64 = 0b111 << 2;
/// AP\[1\]: code at EL0 may access the page.
const USER: u64 = 1 << 6;
/// AP\[2\].
const READ_ONLY: u64 = 1 << 7;
/// SH, bits 9:8.
const SHAREABILITY: u64 = 0b11 << 8;
const ACCESSED: u64 = 1 << 10;
pub(crate) const NOT_GLOBAL: u64 = 1 << 11;
/// The Dirty Bit Modifier. With it, hardware may clear AP\[2\].
const DIRTY_MODIFIER: u64 = 1 << 51;
const CONTIGUOUS: u64 = 1 << 52;
/// Bits 47:12.
const OUTPUT: u64 = 0x0000_ffff_ffff_f000;

impl Descriptor {
    pub(crate) fn is_valid(self) -> bool {
        self.bits & 1 != 0
    }

    pub(crate) fn is_table(self) -> bool {
        self.is_valid() && self.level < 3 && self.bits & TABLE != 0
    }

    pub(crate) fn is_leaf(self) -> bool {
        match self.level {
            0 => false,
            3 => self.bits & 0b11 == 0b11,
            _ => self.bits & 0b11 == 0b01,
        }
    }

    /// Returns whether code at EL0 may use the page. A kernel may omit the barriers of a new user
    /// mapping, because a fault at EL0 is harmless (Linux: `pte_valid_not_user`).
    pub(crate) fn is_user(self) -> bool {
        self.is_leaf() && self.bits & USER != 0
    }

    /// Returns the address of the next table, or of the memory of a leaf.
    pub(crate) fn output(self) -> u64 {
        let output = self.bits & OUTPUT;
        if self.is_leaf() {
            output & !(span(self.level) - 1)
        } else {
            output
        }
    }

    /// Returns the physical address to which a leaf translates `address`.
    pub(crate) fn translate(self, address: u64) -> u64 {
        self.output() | address & (span(self.level) - 1)
    }

    /// Returns whether the access would not fault. With `hardware` the CPU sets the Access flag
    /// itself (TCR_EL1.HA).
    pub(crate) fn permits(self, write: bool, hardware: bool) -> bool {
        self.is_leaf()
            && (hardware || self.bits & ACCESSED != 0)
            && (!write || self.bits & READ_ONLY == 0 || hardware && self.bits & DIRTY_MODIFIER != 0)
    }

    /// Returns whether a TLB may hold the translation. A TLB does not hold a descriptor that is
    /// invalid, or whose Access flag is clear and not managed by hardware.
    pub(crate) fn may_be_cached(self, hardware: bool) -> bool {
        self.is_table() || self.permits(false, hardware)
    }

    /// Returns whether an access through `self` and one through `other` reach the same memory, in
    /// the same way, or whether one of them faults.
    pub(crate) fn reaches_the_same(self, other: Self, address: u64) -> bool {
        let same = |bits| self.bits & bits == other.bits & bits;
        self.translate(address) == other.translate(address) && same(ATTR_INDEX | SHAREABILITY)
    }

    /// Returns whether the change from `self` to `new` needs break-before-make: both are valid, and
    /// the size, the output address, the memory type or the contiguous bit differ, or a global
    /// entry replaces one that is not global (Arm ARM, "Use of break-before-make").
    pub(crate) fn needs_break_before_make(self, new: Self) -> bool {
        let same = |bits| self.bits & bits == new.bits & bits;
        if !self.is_valid() || !new.is_valid() {
            return false;
        }
        self.is_table() != new.is_table()
            || self.output() != new.output()
            || self.is_leaf() && !same(ATTR_INDEX | SHAREABILITY | CONTIGUOUS)
            || self.is_leaf() && !same(NOT_GLOBAL) && new.bits & NOT_GLOBAL == 0
    }
}

/// Returns the number of bytes that an entry of this level translates.
pub(crate) fn span(level: u32) -> u64 {
    1 << (12 + 9 * (3 - level))
}
