//! The descriptors of Arm's stage 1 with the 4 KiB granule (Arm ARM DDI 0487, "Translation table
//! descriptor formats"), and the page-table entries of RISC-V (Privileged Architecture, "Sv39:
//! Page-Based 39-bit Virtual-Memory System", and the sections on Sv48 and Sv57).

/// The architecture of the machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Architecture {
    /// Arm, in AArch64 state.
    Aarch64,
    /// RISC-V with 64 bits.
    Riscv64,
}

use Architecture::{Aarch64, Riscv64};

/// A descriptor or page-table entry.
///
/// The levels are Arm's: an entry of level 3 maps 4 KiB, and the root of Sv39 is of level 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Descriptor {
    pub(crate) bits: u64,
    pub(crate) level: i32,
    pub(crate) architecture: Architecture,
}

impl Architecture {
    pub(crate) fn descriptor(self, bits: u64, level: i32) -> Descriptor {
        Descriptor {
            bits,
            level,
            architecture: self,
        }
    }
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
const NOT_GLOBAL: u64 = 1 << 11;
/// The Dirty Bit Modifier. With it, hardware may clear AP\[2\].
const DIRTY_MODIFIER: u64 = 1 << 51;
const CONTIGUOUS: u64 = 1 << 52;
/// Bits 47:12.
const OUTPUT: u64 = 0x0000_ffff_ffff_f000;

/// R, W and X of a page-table entry. A pointer to a table has none of them.
const READ: u64 = 1 << 1;
const WRITE: u64 = 1 << 2;
const EXECUTE: u64 = 1 << 3;
/// U of a page-table entry.
const RISCV_USER: u64 = 1 << 4;
const GLOBAL: u64 = 1 << 5;
/// A and D of a page-table entry.
const RISCV_ACCESSED: u64 = 1 << 6;
const DIRTY: u64 = 1 << 7;
/// PBMT, bits 62:61: the memory type (Svpbmt).
const MEMORY_TYPE: u64 = 0b11 << 61;

impl Descriptor {
    pub(crate) fn is_valid(self) -> bool {
        self.bits & 1 != 0
    }

    pub(crate) fn is_table(self) -> bool {
        self.is_valid()
            && self.level < 3
            && match self.architecture {
                Aarch64 => self.bits & TABLE != 0,
                Riscv64 => self.bits & (READ | WRITE | EXECUTE) == 0,
            }
    }

    pub(crate) fn is_leaf(self) -> bool {
        match (self.architecture, self.level) {
            (Aarch64, ..=0) => false,
            (Aarch64, 3) => self.bits & 0b11 == 0b11,
            (Aarch64, _) => self.bits & 0b11 == 0b01,
            (Riscv64, _) => self.is_valid() && self.bits & (READ | EXECUTE) != 0,
        }
    }

    /// Returns whether code at EL0, or in U mode, may use the page. A kernel may omit the barriers
    /// of a new user mapping, because a fault there is harmless (Linux: `pte_valid_not_user`).
    pub(crate) fn is_user(self) -> bool {
        let user = match self.architecture {
            Aarch64 => USER,
            Riscv64 => RISCV_USER,
        };
        self.is_leaf() && self.bits & user != 0
    }

    /// Returns whether each address space has the translation.
    pub(crate) fn is_global(self) -> bool {
        match self.architecture {
            Aarch64 => self.bits & NOT_GLOBAL == 0,
            Riscv64 => self.bits & GLOBAL != 0,
        }
    }

    /// Returns the address of the next table, or of the memory of a leaf.
    pub(crate) fn output(self) -> u64 {
        let output = match self.architecture {
            Aarch64 => self.bits & OUTPUT,
            // PPN is in bits 53:10.
            Riscv64 => (self.bits >> 10 & ((1 << 44) - 1)) << 12,
        };
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
        let has = |bits| self.bits & bits == bits;
        self.is_leaf()
            && match self.architecture {
                Aarch64 => {
                    let is_dirtied = hardware && has(DIRTY_MODIFIER);
                    (hardware || has(ACCESSED)) && (!write || !has(READ_ONLY) || is_dirtied)
                }
                Riscv64 if write => has(WRITE | RISCV_ACCESSED | DIRTY),
                Riscv64 => has(READ | RISCV_ACCESSED),
            }
    }

    /// Returns whether a TLB may hold the translation. A TLB does not hold a descriptor that is
    /// invalid, or whose Access flag is clear and not managed by hardware.
    pub(crate) fn may_be_cached(self, hardware: bool) -> bool {
        self.is_table()
            || match self.architecture {
                Aarch64 => self.permits(false, hardware),
                Riscv64 => self.is_leaf(),
            }
    }

    /// Returns whether an access through `self` and one through `other` reach the same memory, in
    /// the same way.
    pub(crate) fn reaches_the_same(self, other: Self, address: u64) -> bool {
        self.translate(address) == other.translate(address)
            && self.has_same(other, self.memory_type())
    }

    /// Returns the bits of the memory type and of the shareability.
    fn memory_type(self) -> u64 {
        match self.architecture {
            Aarch64 => ATTR_INDEX | SHAREABILITY,
            Riscv64 => MEMORY_TYPE,
        }
    }

    fn has_same(self, other: Self, bits: u64) -> bool {
        self.bits & bits == other.bits & bits
    }

    /// Returns whether the change from `self` to `new` needs break-before-make: both are valid, and
    /// the size, the output address, the memory type or the contiguous bit differ, or a global
    /// entry replaces one that is not global (Arm ARM, "Use of break-before-make").
    pub(crate) fn needs_break_before_make(self, new: Self) -> bool {
        if self.architecture != Aarch64 || !self.is_valid() || !new.is_valid() {
            return false;
        }
        self.is_table() != new.is_table()
            || self.output() != new.output()
            || self.is_leaf() && !self.has_same(new, self.memory_type() | CONTIGUOUS)
            || self.is_leaf() && !self.is_global() && new.is_global()
    }
}

/// Returns the number of bytes that an entry of this level translates.
pub(crate) fn span(level: i32) -> u64 {
    1 << (12 + 9 * (3 - level))
}
