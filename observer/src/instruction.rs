//! The instructions that the observer needs to know (Arm ARM DDI 0487, "A64 Base Instruction
//! Descriptions"; RISC-V Unprivileged and Privileged Architecture).

use crate::steps::Step;
use crate::{Architecture, Domain, Types};

/// What an instruction does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operation {
    /// `dmb`.
    Dmb(Types),
    /// `dsb`.
    Dsb(Domain, Types),
    /// `isb`.
    Isb,
    /// An exception return, or a call of a higher Exception level.
    Exception,
    /// A TLB invalidation. [`Tlbi`](crate::Tlbi) decodes the rest of it.
    Tlbi,
    /// `msr ttbr1_el1`.
    Ttbr1,
    /// `msr tcr_el1`.
    Tcr,
    /// `msr vbar_el1`.
    Vbar,
    /// RISC-V: a `fence` or an atomic that orders earlier stores.
    Fence,
    /// `fence w, w`, which does the same.
    FenceOfStores,
    /// `sfence.vma`.
    Sfence(Scope),
    /// `sinval.vma`.
    Sinval(Scope),
    /// `sfence.w.inval`.
    SfenceWInval,
    /// `sfence.inval.ir`.
    SfenceInvalIr,
    /// `csrw satp`.
    Satp,
    /// `ecall`. A call for a remote fence has the number of its extension in a7, and its range in
    /// a2 and a3.
    Ecall,
    /// `slti x0, x0, N`: a mark of the program.
    Mark(u32),
}

/// The operands of `sfence.vma`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Scope {
    /// Whether it is for one address: rs1 is not x0.
    pub has_address: bool,
    /// Whether it is for all address spaces: rs2 is x0.
    pub all_spaces: bool,
}

impl Operation {
    /// Decodes an instruction, or returns `None` if it does not matter to the observer.
    pub fn decode(architecture: Architecture, word: u32) -> Option<Self> {
        match architecture {
            Architecture::Aarch64 => Self::decode_aarch64(word),
            Architecture::Riscv64 => Self::decode_riscv64(word),
        }
    }

    fn decode_riscv64(word: u32) -> Option<Self> {
        let scope = Scope {
            has_address: word & 0x000f_8000 != 0,
            all_spaces: word & 0x01f0_0000 == 0,
        };
        match word {
            0x0000_0073 => return Some(Self::Ecall),
            0x1800_0073 => return Some(Self::SfenceWInval),
            0x1810_0073 => return Some(Self::SfenceInvalIr),
            0x0110_000f => return Some(Self::FenceOfStores),
            _ => {}
        }
        match word & 0xfe00_7fff {
            0x1200_0073 => return Some(Self::Sfence(scope)),
            0x1600_0073 => return Some(Self::Sinval(scope)),
            _ => {}
        }
        if word & 0xfff0_7fff == 0x1800_1073 {
            return Some(Self::Satp);
        }
        if word & 0x000f_ffff == 0x2013 {
            return Some(Self::Mark(word >> 20));
        }
        // The predecessors of a fence have writes (bit 24), or an atomic has the bit rl. A fence
        // without successors (bits 23:20) is a HINT, such as `pause`.
        let is_fence = word & 0x707f == 0x0f && word >> 24 & 1 != 0 && word >> 20 & 0xf != 0;
        let is_release = word & 0x7f == 0x2f && word >> 25 & 1 != 0;
        (is_fence || is_release).then_some(Self::Fence)
    }

    fn decode_aarch64(word: u32) -> Option<Self> {
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

    /// Returns whether it is a `dsb`, an `isb`, a TLB invalidation or the like.
    pub fn is_barrier(self) -> bool {
        matches!(
            self,
            Self::Dsb(..)
                | Self::Isb
                | Self::Tlbi
                | Self::Fence
                | Self::FenceOfStores
                | Self::Sfence(_)
                | Self::Sinval(_)
                | Self::SfenceWInval
                | Self::SfenceInvalIr
        )
    }

    /// Returns the step that a recording has for it.
    pub fn step(self) -> Option<Step> {
        Some(match self {
            Self::FenceOfStores => Step::TableBarrier,
            Self::Sfence(scope) if scope.has_address => Step::FenceOfAddress,
            Self::Sfence(_) => Step::Fence,
            Self::SfenceWInval => Step::BeginInvalidation,
            Self::Sinval(_) => Step::Invalidation,
            Self::SfenceInvalIr => Step::EndInvalidation,
            _ => return None,
        })
    }

    /// Returns whether the instruction `word` has an operand that the observer must know.
    pub fn needs_operand(self, word: u32) -> bool {
        match self {
            // Without an operand, the register is XZR.
            Self::Tlbi => word & 0x1f != 0x1f,
            Self::Ttbr1 | Self::Tcr | Self::Vbar | Self::Satp | Self::Ecall => true,
            Self::Sfence(scope) | Self::Sinval(scope) => scope.has_address,
            _ => false,
        }
    }
}

/// Returns whether the instruction is a trampoline's `stur xN, [sp, #-16]`, or `sd xN, -16(sp)`.
pub fn is_operand(architecture: Architecture, word: u32) -> bool {
    match architecture {
        Architecture::Aarch64 => word & !0x1f == 0xf81f_03e0,
        Architecture::Riscv64 => word & !(0x1f << 20) == 0xfe01_3823,
    }
}

/// Returns whether the instruction is a store-release.
pub fn is_release(word: u32) -> bool {
    // STLR and STLLR; STLXR; CASL and CASAL; the other atomics of FEAT_LSE with the bit R.
    word & 0x3fa0_8000 == 0x0880_8000
        || word & 0x3fe0_8000 == 0x0800_8000
        || word & 0x3fa0_8000 == 0x08a0_8000
        || word & 0x3f60_0c00 == 0x3860_0000
}

/// Returns the distance in bytes of a `b`, or of a `j`.
pub fn branch(architecture: Architecture, word: u32) -> Option<i64> {
    match architecture {
        Architecture::Aarch64 => {
            let offset = (word << 6).cast_signed() >> 6;
            (word >> 26 == 0b00_0101).then_some(i64::from(offset) * 4)
        }
        Architecture::Riscv64 => {
            // imm[20|10:1|11|19:12]
            let sign = (word.cast_signed() >> 31 << 20).cast_unsigned();
            let offset = sign | word & 0xf_f000 | word >> 9 & 0x800 | word >> 20 & 0x7fe;
            (word & 0xfff == 0x06f).then_some(i64::from(offset.cast_signed()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_barriers_of_aarch64_are_decoded() {
        let all = |word| Operation::decode(Architecture::Aarch64, word);
        let shareable = |types| Some(Operation::Dsb(Domain::Shareable, types));
        for (word, expected) in [
            (0xd503_3a9f, shareable(Types::Stores)), // dsb ishst
            (0xd503_399f, shareable(Types::Loads)),  // dsb ishld
            (0xd503_3b9f, shareable(Types::All)),    // dsb ish
            (0xd503_3f9f, shareable(Types::All)),    // dsb sy
            (
                0xd503_379f,
                Some(Operation::Dsb(Domain::NonShareable, Types::All)),
            ),
            (0xd503_3abf, Some(Operation::Dmb(Types::Stores))),
            (0xd503_3fdf, Some(Operation::Isb)),
            (0xd503_309f, None), // ssbb
            (0xd503_349f, None), // pssbb
            (0xd503_201f, None), // nop
        ] {
            assert_eq!(all(word), expected, "{word:#x}");
        }
    }

    #[test]
    fn the_fences_of_riscv64_are_decoded() {
        let all = |word| Operation::decode(Architecture::Riscv64, word);
        let scope = |has_address, all_spaces| Scope {
            has_address,
            all_spaces,
        };
        for (word, expected) in [
            (0x0110_000f, Some(Operation::FenceOfStores)), // fence w, w
            (0x0330_000f, Some(Operation::Fence)),         // fence rw, rw
            (0x0220_000f, None),                           // fence r, r
            (0x0100_000f, None),                           // pause
            (0x1200_0073, Some(Operation::Sfence(scope(false, true)))),
            (0x1205_8073, Some(Operation::Sfence(scope(true, true)))),
            (0x12c0_0073, Some(Operation::Sfence(scope(false, false)))),
            (0x1605_8073, Some(Operation::Sinval(scope(true, true)))),
            (0x0000_0073, Some(Operation::Ecall)),
            (0x1800_0073, Some(Operation::SfenceWInval)),
            (0x1810_0073, Some(Operation::SfenceInvalIr)),
            (0x1805_1073, Some(Operation::Satp)),
            (0x0000_0013, None), // nop
        ] {
            assert_eq!(all(word), expected, "{word:#x}");
        }
    }
}
