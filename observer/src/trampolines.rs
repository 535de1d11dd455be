//! Trampolines: a copy of a kernel that shows the operands of its instructions.
//!
//! A plugin of QEMU sees which instruction executes, but not its registers. It does see the value
//! of a store. In the copy, a branch to a trampoline replaces each instruction whose operand the
//! observer needs. The trampoline stores the operand, executes the instruction, and branches back:
//!
//! ```text
//! stur xN, [sp, #-16]
//! msr ttbr1_el1, xN
//! b back
//! ```
//!
//! QEMU takes an interrupt only between blocks of instructions. The branch to a trampoline ends a
//! block, and the trampoline is in one page. An interrupt therefore does not come between the store
//! and the instruction. A software step exception does.
//!
//! These instructions are `msr ttbr1_el1`, `msr tcr_el1`, `msr vbar_el1`, and each TLBI that has a
//! register; on RISC-V `csrw satp`, `sfence.vma` and `sinval.vma` with an address, and `ecall`, for
//! which three stores show a7, a2 and a3. The store is below the stack pointer. Neither
//! architecture has a red zone, so a function does not keep anything there (AAPCS64, "Universal
//! stack constraints"; RISC-V ELF psABI, "Integer Calling Convention").
//!
//! # What the copy does not show
//!
//! Code before the first use of the stack pointer keeps its instructions, because there is no place
//! for the store. Such code begins at the ELF file's entry point. Its branches are followed; a
//! branch to a register is not. On RISC-V, the code up to the first instruction that writes `sp` is
//! left alone. If another CPU begins elsewhere, and executes one of these instructions before it
//! has a stack, the store faults. Code that both reach is left alone.
//!
//! # Data in the text
//!
//! A constant among the instructions may have the bits of one of them. To replace it would change
//! the program. Mapping symbols (`$x`, `$d`: "ELF for the Arm 64-bit Architecture") tell constants
//! from instructions, and linkers keep them. Without a symbol table each aligned word counts as an
//! instruction. The constants of a compiler are rarely harmful, because the upper half of these
//! words is 0xd508, 0xd50c or 0xd518.

use std::collections::{BTreeMap, HashSet};

use crate::instruction::Operation;
use object::elf::ProgramHeader64;
use object::elf::{PF_X, PT_LOAD, SHF_EXECINSTR};
use object::read::elf::{ElfFile64, ElfSection64, ProgramHeader, SectionHeader};
use object::{Architecture, LittleEndian, Object, ObjectSection, ObjectSymbol};

/// The address of the trampolines of an aarch64 kernel if another is not chosen. It is in the RAM
/// of QEMU's `virt` board, in reach of an image at the start of the RAM.
pub const ADDRESS: u64 = 0x4600_0000;

/// The same for a riscv64 kernel. It is between the firmware and a kernel at 0x8020_0000.
pub const RISCV64_ADDRESS: u64 = 0x801f_0000;

/// The symbol of `aarch64-rt` for the exception vectors.
const VECTORS: &str = "vector_table_el1";

/// The bytes of a trampoline: at most eight instructions, so that it does not cross a page.
pub const SIZE: u64 = 4 * WORDS as u64;
const WORDS: usize = 8;

/// Why a kernel cannot have trampolines.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes are not a program that this module can change.
    #[error("the kernel is not a little-endian ELF file of 64 bits: {0}")]
    NotElf(String),
    /// The program is for another CPU.
    #[error("the kernel is an ELF file for {0:?}: expected one for aarch64 or riscv64")]
    OtherArchitecture(Architecture),
    /// There is nothing to observe.
    #[error("the kernel does not have an executable section or segment")]
    NoText,
    /// A trampoline could cross a page.
    #[error("the address of the trampolines must be a multiple of 32, but is {0:#x}")]
    Unaligned(u64),
    /// A branch cannot encode the distance.
    #[error(
        "the trampoline at {to:#x} is out of reach for the instruction at {from:#x}: a branch \
         reaches 128 MiB on aarch64 and 1 MiB on riscv64; choose an address that is nearer to the \
         kernel"
    )]
    OutOfReach {
        /// The address of the instruction.
        from: u64,
        /// The address of its trampoline.
        to: u64,
    },
    /// An instruction to be removed does not exist.
    #[error("there is not an instruction at {0:#x}, so it cannot be removed")]
    NotAnInstruction(u64),
}

/// An instruction of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instruction {
    /// The address at which the program is linked.
    pub address: u64,
    /// The encoding.
    pub word: u32,
}

/// A copy of a kernel that shows its operands, and the code that the copy needs.
#[derive(Debug, Clone)]
pub struct Observable {
    /// The kernel, an ELF file.
    pub elf: Vec<u8>,
    /// The trampolines.
    pub code: Vec<u8>,
    /// The physical address of the trampolines.
    ///
    /// It is below their linked address by as much as the kernel's first executable segment is.
    pub load: u64,
    /// The address of the exception vectors, if the kernel has the symbol of `aarch64-rt` for it.
    pub vectors: Option<u64>,
    address: u64,
    /// The address of the replaced instruction, for each trampoline.
    replaced: Vec<u64>,
}

impl Observable {
    /// Returns the number of trampolines.
    #[must_use]
    pub fn len(&self) -> usize {
        self.replaced.len()
    }

    /// Returns whether the copy does not have a trampoline.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.replaced.is_empty()
    }

    /// Returns the address of an instruction in the kernel, for an address in the kernel or in a
    /// trampoline.
    #[must_use]
    pub fn origin(&self, address: u64) -> u64 {
        let offset = address.wrapping_sub(self.address) / SIZE;
        let index = usize::try_from(offset).unwrap_or(usize::MAX);
        self.replaced.get(index).copied().unwrap_or(address)
    }
}

/// Returns the address of the trampolines if another is not chosen.
///
/// # Errors
///
/// The file is not one for aarch64 or riscv64.
pub fn usual_address(elf: &[u8]) -> Result<u64, Error> {
    Ok(match Isa::of(&parse(elf)?)? {
        Isa::Aarch64 => ADDRESS,
        Isa::Riscv64 => RISCV64_ADDRESS,
    })
}

/// Inserts trampolines at `address` into a copy of the kernel `elf`. The addresses in `removed` get
/// a `nop` for their instruction.
///
/// `address` is the address at which the kernel executes the trampolines. The kernel must map it as
/// it maps its own code, and must not use that memory.
///
/// # Errors
///
/// The file is not one for aarch64 or riscv64, a trampoline is out of reach, or an address in
/// `removed` is not that of an instruction.
pub fn insert(elf: &[u8], address: u64, removed: &[u64]) -> Result<Observable, Error> {
    if !address.is_multiple_of(SIZE) {
        return Err(Error::Unaligned(address));
    }
    let file = parse(elf)?;
    let isa = Isa::of(&file)?;
    let text = Text::read(&file, elf)?;
    let mut copy = elf.to_vec();
    let mut replace = |address, word: u32| {
        let offset = text.words.get(&address);
        let offset = offset.filter(|it| isa.length(it.1) == 4);
        let &(offset, _) = offset.ok_or(Error::NotAnInstruction(address))?;
        copy[offset..offset + 4].copy_from_slice(&word.to_le_bytes());
        Ok(())
    };
    for &address in removed {
        replace(address, isa.nop())?;
    }
    let without_stack = match isa {
        Isa::Aarch64 => text.without_stack(file.entry()),
        Isa::Riscv64 => text.before_stack(file.entry()),
    };
    let mut code = Vec::new();
    let mut replaced = Vec::new();
    for (&site, &(_, word)) in &text.words {
        if !isa.needs_trampoline(word) || without_stack.contains(&site) || removed.contains(&site) {
            continue;
        }
        let start = address + code.len() as u64;
        replace(site, isa.branch(site, start)?)?;
        let mut words = isa.stores_below_stack(word);
        words.push(word);
        words.push(isa.branch(start + 4 * words.len() as u64, site + 4)?);
        words.resize(WORDS, isa.nop());
        code.extend(words.into_iter().flat_map(u32::to_le_bytes));
        replaced.push(site);
    }
    let vectors = file.symbol_by_name(VECTORS).map(|it| it.address());
    Ok(Observable {
        elf: copy,
        code,
        load: address.wrapping_sub(offset_of_link(&file)?),
        vectors,
        address,
        replaced,
    })
}

/// Returns the instructions of a program in the order of their addresses.
///
/// # Errors
///
/// The file is not one for aarch64 or riscv64.
pub fn instructions(elf: &[u8]) -> Result<Vec<Instruction>, Error> {
    let text = Text::read(&parse(elf)?, elf)?;
    let words = text.words.into_iter();
    Ok(words
        .map(|(address, (_, word))| Instruction { address, word })
        .collect())
}

type File<'a> = ElfFile64<'a, LittleEndian>;

fn parse(elf: &[u8]) -> Result<File<'_>, Error> {
    File::parse(elf).map_err(|error| Error::NotElf(error.to_string()))
}

/// An instruction set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Isa {
    Aarch64,
    Riscv64,
}

impl Isa {
    fn of(file: &File<'_>) -> Result<Self, Error> {
        match file.architecture() {
            Architecture::Aarch64 => Ok(Self::Aarch64),
            Architecture::Riscv64 => Ok(Self::Riscv64),
            other => Err(Error::OtherArchitecture(other)),
        }
    }

    /// Returns the length of the instruction in bytes. The lower two bits of a long one of RISC-V
    /// are set.
    fn length(self, word: u32) -> usize {
        match self {
            Self::Riscv64 if word & 0b11 != 0b11 => 2,
            _ => 4,
        }
    }

    fn nop(self) -> u32 {
        match self {
            Self::Aarch64 => 0xd503_201f,
            Self::Riscv64 => 0x0000_0013,
        }
    }

    /// Returns whether the observer needs the operand of the instruction.
    fn needs_trampoline(self, word: u32) -> bool {
        let operation = self.operation(word);
        operation.is_some_and(|it| it.needs_operand(word))
    }

    fn operation(self, word: u32) -> Option<Operation> {
        let architecture = match self {
            Self::Aarch64 => crate::Architecture::Aarch64,
            Self::Riscv64 => crate::Architecture::Riscv64,
        };
        Operation::decode(architecture, word)
    }

    /// Encodes `stur xN, [sp, #-16]`, or `sd xN, -16(sp)`, for each operand of an instruction.
    fn stores_below_stack(self, instruction: u32) -> Vec<u32> {
        let store = |register: u32| match self {
            Self::Aarch64 => 0xf81f_03e0 | register,
            Self::Riscv64 => 0xfe01_3823 | register << 20,
        };
        match self.operation(instruction) {
            // a7, a2 and a3.
            Some(Operation::Ecall) => [17, 12, 13].map(store).to_vec(),
            _ => match self {
                Self::Aarch64 => vec![store(instruction & 0x1f)],
                Self::Riscv64 => vec![store(instruction >> 15 & 0x1f)],
            },
        }
    }

    /// Encodes `b`, or `j`.
    fn branch(self, from: u64, to: u64) -> Result<u32, Error> {
        let distance = to.wrapping_sub(from).cast_signed();
        let reach: i64 = match self {
            Self::Aarch64 => 1 << 27,
            Self::Riscv64 => 1 << 20,
        };
        if !(-reach..reach).contains(&distance) {
            return Err(Error::OutOfReach { from, to });
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the distance is in reach, and the masks take its bits"
        )]
        let distance = distance as u32;
        Ok(match self {
            Self::Aarch64 => 0x1400_0000 | distance >> 2 & 0x03ff_ffff,
            // The bits 20, 10 to 1, 11, and 19 to 12, from the highest bit on.
            Self::Riscv64 => {
                let sign = distance >> 20 & 1;
                let low = distance >> 1 & 0x3ff;
                let middle = distance >> 11 & 1;
                let high = distance >> 12 & 0xff;
                sign << 31 | low << 21 | middle << 20 | high << 12 | 0x6f
            }
        })
    }
}

/// Returns the difference between the address at which the kernel is linked and the physical
/// address, of the first executable segment.
fn offset_of_link(file: &File<'_>) -> Result<u64, Error> {
    let text = executable_segments(file).next().ok_or(Error::NoText)?;
    Ok(text
        .p_vaddr(LittleEndian)
        .wrapping_sub(text.p_paddr(LittleEndian)))
}

fn executable_segments<'a>(
    file: &'a File<'_>,
) -> impl Iterator<Item = &'a ProgramHeader64<LittleEndian>> {
    let segments = file.elf_program_headers().iter();
    segments
        .filter(|it| it.p_type(LittleEndian) == PT_LOAD && it.p_flags(LittleEndian).contains(PF_X))
}

/// The instructions of a program.
struct Text {
    /// The place in the file and the encoding, for each address.
    words: BTreeMap<u64, (usize, u32)>,
}

impl Text {
    /// Reads the executable sections. A file without them has its segments only.
    fn read(file: &File<'_>, elf: &[u8]) -> Result<Self, Error> {
        let isa = Isa::of(file)?;
        let is_text = |it: &ElfSection64<'_, '_, LittleEndian>| {
            it.elf_section_header()
                .sh_flags(LittleEndian)
                .contains(SHF_EXECINSTR)
        };
        let sections = file.sections().filter(is_text);
        let mut ranges: Vec<_> = sections
            .filter_map(|it| Some((it.address(), it.file_range()?)))
            .collect();
        if ranges.is_empty() {
            ranges.extend(executable_segments(file).map(|it| {
                let range = (it.p_offset(LittleEndian), it.p_filesz(LittleEndian));
                (it.p_vaddr(LittleEndian), range)
            }));
        }
        if ranges.is_empty() {
            return Err(Error::NoText);
        }
        // Whether instructions begin at an address, or data.
        let mut kinds = BTreeMap::new();
        for symbol in file.symbols() {
            let is_code = match symbol.name_bytes() {
                // A name of RISC-V may continue with the instruction set.
                Ok([b'$', b'x'] | [b'$', b'x', b'.' | b'r', ..]) => true,
                Ok([b'$', b'd'] | [b'$', b'd', b'.', ..]) => false,
                _ => continue,
            };
            // If both are at one address, the data is empty.
            *kinds.entry(symbol.address()).or_insert(false) |= is_code;
        }
        let mut words = BTreeMap::new();
        for (start, (offset, size)) in ranges {
            let bytes = usize::try_from(offset).ok().and_then(|offset| {
                let end = offset.checked_add(usize::try_from(size).ok()?)?;
                Some((offset, elf.get(offset..end)?))
            });
            let (offset, bytes) =
                bytes.ok_or_else(|| Error::NotElf("its text is cut off".to_owned()))?;
            let mut is_code = true;
            let mut at = 0;
            while let Some(bytes) = bytes.get(at..) {
                let word = match *bytes {
                    [a, b, c, d, ..] => u32::from_le_bytes([a, b, c, d]),
                    [a, b, ..] => u32::from_le_bytes([a, b, 0, 0]),
                    _ => break,
                };
                let address = start + at as u64;
                is_code = kinds.get(&address).copied().unwrap_or(is_code);
                let length = isa.length(word);
                let mask = if length == 2 { 0xffff } else { !0 };
                if is_code && length <= bytes.len() {
                    words.insert(address, (offset + at, word & mask));
                }
                at += if is_code { length } else { isa.length(0) };
            }
        }
        Ok(Self { words })
    }

    /// Returns the addresses from a RISC-V program's entry point to the first instruction that
    /// writes `sp`.
    fn before_stack(&self, entry: u64) -> HashSet<u64> {
        let code = self.words.range(entry..);
        let code = code.take_while(|&(_, &(_, word))| {
            // Long instructions have rd in bits 11:7, and so do most short ones.
            let writes_stack = word >> 7 & 0x1f == 2;
            let is_store_or_branch = matches!(word & 0x7f, 0x23 | 0x63 | 0x27);
            !writes_stack || is_store_or_branch
        });
        code.map(|it| *it.0).collect()
    }

    /// Returns the addresses that execute before the first instruction that uses the stack pointer.
    /// They are found along the branches, from the entry point.
    fn without_stack(&self, entry: u64) -> HashSet<u64> {
        let mut found = HashSet::new();
        let mut next = vec![entry];
        while let Some(address) = next.pop() {
            let Some(&(_, word)) = self.words.get(&address) else {
                continue;
            };
            if uses_stack(word) || !found.insert(address) {
                continue;
            }
            let flow = Flow::of(word);
            next.extend(flow.target.map(|it| address.wrapping_add_signed(it)));
            if flow.continues {
                next.push(address + 4);
            }
        }
        found
    }
}

/// Where execution goes from an instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Flow {
    /// The distance to the target of a direct branch.
    target: Option<i64>,
    /// Whether the next instruction may follow, at once or after a call.
    continues: bool,
}

impl Flow {
    /// Decodes the branches of the Arm ARM's "Branches, Exception Generating and System
    /// instructions".
    fn of(word: u32) -> Self {
        let distance = |low: u32, bits: u32| {
            let field = i64::from(word >> low) << (64 - bits);
            Some(field >> (64 - bits - 2))
        };
        let (target, continues) = match word {
            // B and BL
            _ if word & 0x7c00_0000 == 0x1400_0000 => (distance(0, 26), word >> 31 == 1),
            // B.cond; CBZ and CBNZ
            _ if word & 0xff00_0000 == 0x5400_0000 || word & 0x7e00_0000 == 0x3400_0000 => {
                (distance(5, 19), true)
            }
            // TBZ and TBNZ
            _ if word & 0x7e00_0000 == 0x3600_0000 => (distance(5, 14), true),
            // BR, BLR, RET, ERET and others. Only BLR continues.
            _ if word & 0xfe00_0000 == 0xd600_0000 => (None, word & 0xff60_0000 == 0xd620_0000),
            _ => (None, true),
        };
        Self { target, continues }
    }
}

/// Returns whether the instruction needs a stack pointer, or sets it.
fn uses_stack(word: u32) -> bool {
    const STACK_POINTER: u32 = 31;
    let (destination, first) = (word & 0x1f, word >> 5 & 0x1f);
    // In ADDS and SUBS of an immediate number, destination 31 means XZR.
    let adds = word & 0x1f80_0000 == 0x1100_0000;
    let sets_flags = word & 0x2000_0000 != 0;
    let sets = adds && !sets_flags && destination == STACK_POINTER;
    // A load that is relative to the instruction does not have a base.
    let accesses = word & 0x0a00_0000 == 0x0800_0000 && word & 0x3b00_0000 != 0x1800_0000;
    sets || ((adds || accesses) && first == STACK_POINTER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_distances_of_branches_are_decoded() {
        for (forward, backward, bits) in [
            (0x15ff_ffff, 0x1600_0000, 26),
            (0x95ff_ffff, 0x9600_0000, 26),
            (0x547f_ffe0, 0x5480_0000, 19),
            (0xb47f_ffe9, 0xb580_0009, 19),
            (0x3603_ffe9, 0xb7fc_0009, 14),
        ] {
            let reach = 4 << (bits - 1);
            assert_eq!(Flow::of(forward).target, Some(reach - 4));
            assert_eq!(Flow::of(backward).target, Some(-reach));
        }
    }
}
