//! The instructions that the observer needs to know (Arm ARM DDI 0487, "A64 Base Instruction
//! Descriptions").

use lazy_mmu_observer::{Domain, Types};

/// What an instruction does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Operation {
    Dmb(Types),
    Dsb(Domain, Types),
    Isb,
    /// An exception return, or a call of a higher Exception level.
    Exception,
    Tlbi,
    /// `msr ttbr1_el1`.
    Ttbr1,
    /// `msr tcr_el1`.
    Tcr,
    /// `msr vbar_el1`.
    Vbar,
}

impl Operation {
    pub(crate) fn decode(word: u32) -> Option<Self> {
        let crm = word >> 8 & 0xf;
        let types = match crm & 3 {
            1 => Types::Loads,
            2 => Types::Stores,
            _ => Types::All,
        };
        let domain = match crm >> 2 {
            1 => Domain::NonShareable,
            _ => Domain::Shareable,
        };
        match word & 0xffff_f0ff {
            0xd503_30bf => return Some(Self::Dmb(types)),
            // With 0 and 4, it is SSBB and PSSBB.
            0xd503_309f if crm & 3 != 0 => return Some(Self::Dsb(domain, types)),
            // The forms with nXS.
            0xd503_303f if crm & 3 == 2 => return Some(Self::Dsb(domain, Types::All)),
            0xd503_30df => return Some(Self::Isb),
            _ => {}
        }
        match word & !0x1f {
            0xd518_2020 => return Some(Self::Ttbr1),
            0xd518_2040 => return Some(Self::Tcr),
            0xd518_c000 => return Some(Self::Vbar),
            _ => {}
        }
        // ERET, HVC and SMC.
        if word == 0xd69f_03e0 || matches!(word & 0xffe0_001f, 0xd400_0002 | 0xd400_0003) {
            return Some(Self::Exception);
        }
        let is_tlbi = word & 0xfff8_e000 == 0xd508_8000;
        is_tlbi.then_some(Self::Tlbi)
    }

    /// Returns whether it is a `dsb`, an `isb` or a TLB invalidation.
    pub(crate) fn is_barrier(self) -> bool {
        matches!(self, Self::Dsb(..) | Self::Isb | Self::Tlbi)
    }
}

/// Returns whether the instruction has an operand that the observer must know.
pub(crate) fn needs_operand(word: u32) -> bool {
    match Operation::decode(word) {
        // Without an operand, the register is XZR.
        Some(Operation::Tlbi) => word & 0x1f != 0x1f,
        Some(Operation::Ttbr1 | Operation::Tcr | Operation::Vbar) => true,
        _ => false,
    }
}

/// Returns whether the instruction is a trampoline's `stur xN, [sp, #-16]`.
pub(crate) fn is_operand(word: u32) -> bool {
    word & !0x1f == 0xf81f_03e0
}

/// Returns whether the instruction is a store-release.
pub(crate) fn is_release(word: u32) -> bool {
    // STLR and STLLR; STLXR; CASL and CASAL; the other atomics of FEAT_LSE with the bit R.
    word & 0x3fa0_8000 == 0x0880_8000
        || word & 0x3fe0_8000 == 0x0800_8000
        || word & 0x3fa0_8000 == 0x08a0_8000
        || word & 0x3f60_0c00 == 0x3860_0000
}

/// Returns the distance in bytes of a `b`.
pub(crate) fn branch(word: u32) -> Option<i64> {
    let offset = (word << 6).cast_signed() >> 6;
    (word >> 26 == 0b00_0101).then_some(i64::from(offset) * 4)
}
