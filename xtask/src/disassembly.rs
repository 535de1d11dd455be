//! Rows B01, B20 and B31 in the disassembly: in the functions whose names begin with `b01_`, each
//! `dsb ishst` has its `isb` right behind it, and there is no other barrier; those of `TLBI` have
//! the instructions that the manual gives.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use object::{Object, ObjectSection, ObjectSymbol};

const DSB_ISHST: u32 = 0xd503_3a9f;
const ISB: u32 = 0xd503_3fdf;

/// DSB, DMB and ISB (Arm ARM, "Barriers" in the encoding index), but for the nXS form of DSB.
fn is_barrier(word: u32) -> bool {
    word & 0xffff_f01f == 0xd503_301f && matches!(word >> 5 & 0b111, 0b100..=0b110)
}

/// By page and by range, in the order of `b20_tlbi_of_el1`: VAALE1IS, RVAALE1IS, VAAE1IS, RVAAE1IS,
/// VALE1IS, RVALE1IS, VAE1IS, RVAE1IS; ASIDE1IS, VMALLE1IS; then the same for this CPU only (Arm
/// ARM, "SYS" and each instruction's page), with register 0.
const OF_EL1: [u16; 20] = [
    0x83e0, 0x82e0, 0x8360, 0x8260, 0x83a0, 0x82a0, 0x8320, 0x8220, 0x8340, 0x8300, 0x87e0, 0x86e0,
    0x8760, 0x8660, 0x87a0, 0x86a0, 0x8720, 0x8620, 0x8740, 0x8700,
];

/// VALE2IS, RVALE2IS, VAE2IS, RVAE2IS, and these once more, because there are no ASIDs; ALLE2IS in
/// the place of ASIDE1IS, and ALLE2IS; then the same for this CPU only.
const OF_EL2: [u16; 20] = [
    0x83a0, 0x82a0, 0x8320, 0x8220, 0x83a0, 0x82a0, 0x8320, 0x8220, 0x8300, 0x8300, 0x87a0, 0x86a0,
    0x8720, 0x8620, 0x87a0, 0x86a0, 0x8720, 0x8620, 0x8700, 0x8700,
];

/// The TLBI instructions of a function, in order: the upper half of each, which says the regime,
/// and the lower halves.
const TLBI: [(&str, u32, [u16; 20]); 2] = [
    ("b20_tlbi_of_el1", 0xd508_0000, OF_EL1),
    ("b20_tlbi_of_el2", 0xd50c_0000, OF_EL2),
];

/// The end of an invalidation by default: `dsb ish`, TLBI VALE1IS of no register, `dsb ish`, `isb`.
const REPEATED: [u32; 4] = [0xd503_3b9f, 0xd508_83bf, 0xd503_3b9f, ISB];

/// Whether it is a TLBI: SYS with CRn = 8.
fn is_tlbi(word: u32) -> bool {
    word & 0xfff8_f000 == 0xd508_8000
}

/// All rows, in a program that has all functions.
pub(crate) fn check_both(program: &Path) -> Result<()> {
    check(program)?;
    check_tlbi(program)
}

/// Rows B20 and B31.
fn check_tlbi(program: &Path) -> Result<()> {
    let bytes = fs::read(program)?;
    let file = object::File::parse(&*bytes)?;
    for (name, regime, expected) in TLBI {
        let expected = expected.map(|it| regime | u32::from(it));
        let found: Vec<u32> = function(&file, name)?
            .into_iter()
            .filter(|&word| is_tlbi(word))
            // The last five bits are the register.
            .map(|word| word & !0x1f)
            .collect();
        ensure!(
            found == expected,
            "B20: {name} has {found:x?}, and should have {expected:x?}"
        );
    }
    println!("B20 B36 disassembly: the TLBI instructions of both regimes are the manual's");
    let mut end = function(&file, "b31_end_of_the_given_machine")?;
    end.retain(|&word| is_barrier(word) || is_tlbi(word));
    ensure!(
        end == REPEATED,
        "B31: an invalidation ends by default with {end:x?}, and should with {REPEATED:x?}"
    );
    println!("B31 disassembly: an invalidation ends by default with one more TLBI and `dsb ish`");
    Ok(())
}

/// The instructions of the function `name`.
fn function(file: &object::File<'_>, name: &str) -> Result<Vec<u32>> {
    let symbol = file
        .symbol_by_name(name)
        .with_context(|| format!("no function {name} in the program"))?;
    code(file, &symbol)
}

/// The instructions of a function.
pub(crate) fn code(file: &object::File<'_>, symbol: &object::Symbol<'_, '_>) -> Result<Vec<u32>> {
    let section = symbol
        .section_index()
        .context("a function lies in a section")?;
    let code = file
        .section_by_index(section)?
        .data_range(symbol.address(), symbol.size())?
        .context("a function has code")?;
    let words = code.as_chunks().0.iter();
    Ok(words.map(|&it| u32::from_le_bytes(it)).collect())
}

pub(crate) fn check(program: &Path) -> Result<()> {
    let bytes = fs::read(program)?;
    let file = object::File::parse(&*bytes)?;
    let mut pairs = 0;
    for symbol in file.symbols() {
        let name = symbol.name()?;
        if !name.starts_with("b01_") {
            continue;
        }
        let words = code(&file, &symbol)?;
        let barriers: Vec<(usize, u32)> = (0..)
            .zip(words)
            .filter(|&(_, word)| is_barrier(word))
            .collect();
        ensure!(!barriers.is_empty(), "{name} has no barrier");
        for pair in barriers.chunks(2) {
            ensure!(
                matches!(*pair, [(at, DSB_ISHST), (next, ISB)] if next == at + 1),
                "B01: {name} has a barrier that is no pair: {pair:x?}"
            );
            pairs += 1;
        }
    }
    ensure!(pairs > 0, "no function b01_* in {}", program.display());
    println!("B01 disassembly: {pairs} pairs, each `dsb ishst` with its `isb` right behind it");
    Ok(())
}
