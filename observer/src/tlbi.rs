//! The TLB invalidation instructions (Arm ARM DDI 0487, "TLB maintenance instructions").

use crate::descriptor::{Descriptor, NOT_GLOBAL, span};

/// A TLB invalidation of stage 1, with the 4 KiB granule.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tlbi {
    /// Whether it reaches the other CPUs (`..IS` and `..OS`).
    pub(crate) is_broadcast: bool,
    scope: Scope,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Scope {
    All,
    /// The entries that are not global. The observer does not compare ASIDs.
    Asid,
    Range {
        start: u64,
        pages: u64,
        last_level_only: bool,
        /// The level of the leaf, if the instruction states it (FEAT_TTL).
        level: Option<u32>,
    },
}

impl Tlbi {
    /// Decodes the instruction `word` with its operand. Returns `None` if the instruction does not
    /// invalidate translations of stage 1 of EL1&0, or of EL2.
    pub fn decode(word: u32, operand: u64) -> Option<Self> {
        // SYS, with CRn = 8, or 9 for the forms of FEAT_XS.
        if word & 0xfff8_0000 != 0xd508_0000 || !matches!(word >> 12 & 0xf, 8 | 9) {
            return None;
        }
        let (op1, crm, op2) = (word >> 16 & 7, word >> 8 & 0xf, word >> 5 & 7);
        let (is_broadcast, is_range) = match crm {
            1 | 3 => (true, false),
            7 => (false, false),
            2 | 5 => (true, true),
            6 => (false, true),
            _ => return None,
        };
        let scope = match (op1, is_range, op2) {
            (0, false, 0) | (4, false, 0 | 4 | 6) => Scope::All,
            (0, false, 2) => Scope::Asid,
            (0 | 4, false, 1 | 3) => Scope::address(operand, false),
            (0 | 4, false, 5 | 7) => Scope::address(operand, true),
            (0 | 4, true, 1 | 3) => Scope::range(operand, false),
            (0 | 4, true, 5 | 7) => Scope::range(operand, true),
            _ => return None,
        };
        Some(Self {
            is_broadcast,
            scope,
        })
    }

    /// Returns whether the instruction invalidates what TLBs hold of `old`, which translated
    /// `address`.
    pub(crate) fn covers(self, old: Descriptor, address: u64) -> bool {
        match self.scope {
            Scope::All => true,
            Scope::Asid => old.is_leaf() && old.bits & NOT_GLOBAL != 0,
            Scope::Range {
                start,
                pages,
                last_level_only,
                level,
            } => {
                let size = span(old.level);
                let is_inside = address < start.wrapping_add(pages << 12) && start < address + size;
                is_inside
                    && !(last_level_only && old.is_table())
                    && (old.is_table() || level.is_none_or(|it| it == old.level))
            }
        }
    }
}

impl Scope {
    /// VA\[55:12\] is in bits 43:0, and TTL in bits 47:44.
    fn address(operand: u64, last_level_only: bool) -> Self {
        // In a TTL, bits 3:2 are the granule, and 1 is 4 KiB.
        let level = match operand >> 44 & 0xf {
            ttl @ 0b0101..=0b0111 => u32::try_from(ttl & 3).ok(),
            _ => None,
        };
        Self::Range {
            start: sign_extend(operand << 12, 56),
            pages: 1,
            last_level_only,
            level,
        }
    }

    /// BaseADDR is in bits 36:0, TTL in 38:37, NUM in 43:39, and SCALE in 45:44.
    fn range(operand: u64, last_level_only: bool) -> Self {
        let (number, scale) = (operand >> 39 & 0x1f, operand >> 44 & 3);
        let ttl = operand >> 37 & 3;
        Self::Range {
            start: sign_extend(operand << 12, 49),
            pages: (number + 1) << (5 * scale + 1),
            last_level_only,
            level: u32::try_from(ttl).ok().filter(|&it| it != 0),
        }
    }
}

/// Extends the number in the lower `bits` bits.
fn sign_extend(value: u64, bits: u32) -> u64 {
    let unused = 64 - bits;
    ((value << unused).cast_signed() >> unused).cast_unsigned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: u64 = 0xffff_8000_0000_3000;

    fn leaf(level: u32) -> Descriptor {
        let bits = if level == 3 { 0b11 } else { 0b01 };
        Descriptor {
            bits: 0x4000_0000 | 1 << 10 | bits,
            level,
        }
    }

    fn table() -> Descriptor {
        Descriptor {
            bits: 0x4000_0003,
            level: 2,
        }
    }

    /// `tlbi vaale1is, x0` and the like.
    fn by_address(crm: u32, op2: u32, operand: u64) -> Tlbi {
        Tlbi::decode(0xd508_8000 | crm << 8 | op2 << 5, operand).expect("it is a TLBI")
    }

    #[test]
    fn an_address_covers_its_page_in_each_size() {
        let vaale1is = by_address(3, 7, PAGE >> 12 & 0xfff_ffff_ffff);
        assert!(vaale1is.is_broadcast);
        assert!(vaale1is.covers(leaf(3), PAGE));
        assert!(!vaale1is.covers(leaf(3), PAGE + 0x1000));
        assert!(!vaale1is.covers(leaf(3), PAGE - 0x1000));
        assert!(vaale1is.covers(leaf(2), 0xffff_8000_0000_0000));
        assert!(!vaale1is.covers(table(), 0xffff_8000_0000_0000));
        let vaae1 = by_address(7, 3, PAGE >> 12 & 0xfff_ffff_ffff);
        assert!(!vaae1.is_broadcast);
        assert!(vaae1.covers(table(), 0xffff_8000_0000_0000));
    }

    #[test]
    fn a_wrong_level_hint_covers_nothing() {
        let with_level = |ttl: u64| by_address(3, 7, PAGE >> 12 & 0xfff_ffff_ffff | ttl << 44);
        assert!(with_level(0b0111).covers(leaf(3), PAGE));
        assert!(!with_level(0b0110).covers(leaf(3), PAGE));
        assert!(with_level(0).covers(leaf(3), PAGE));
    }

    #[test]
    fn a_range_covers_its_pages() {
        // SCALE 0 and NUM 1 are four pages.
        let rvaale1is = by_address(2, 7, PAGE >> 12 & 0x1f_ffff_ffff | 1 << 39 | 1 << 46);
        assert!(rvaale1is.covers(leaf(3), PAGE));
        assert!(rvaale1is.covers(leaf(3), PAGE + 0x3000));
        assert!(!rvaale1is.covers(leaf(3), PAGE + 0x4000));
        assert!(!rvaale1is.covers(leaf(3), PAGE - 0x1000));
    }

    #[test]
    fn an_asid_covers_no_global_entry() {
        let aside1is = by_address(3, 2, 0);
        assert!(!aside1is.covers(leaf(3), PAGE));
        let not_global = Descriptor {
            bits: leaf(3).bits | NOT_GLOBAL,
            level: 3,
        };
        assert!(aside1is.covers(not_global, PAGE));
        assert!(by_address(3, 0, 0).covers(table(), PAGE), "vmalle1is");
    }

    #[test]
    fn other_instructions_are_not_invalidations() {
        for word in [0xd503_3a9f, 0xd508_7520, 0xd508_8000] {
            assert_eq!(Tlbi::decode(word, 0), None, "{word:#x}");
        }
    }
}
