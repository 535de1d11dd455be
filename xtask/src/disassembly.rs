//! Checks behaviours in the disassembly of a program.
//!
//! * B01: in each function whose name begins with `b01_`, an `isb` follows each `dsb ishst`
//!   immediately. The function does not have other barriers.
//! * B20, B36: the functions of `TLBI` have the instructions that the manual gives.
//! * B31: an invalidation ends with the barriers and the repeated TLBI of `REPEATED`.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use object::{Object, ObjectSection, ObjectSymbol};

const DSB_ISHST: u32 = 0xd503_3a9f;
const ISB: u32 = 0xd503_3fdf;

/// Returns whether the word is a DSB, DMB or ISB (Arm ARM, "Barriers" in the encoding index). The
/// nXS form of DSB is not included.
pub(crate) fn is_barrier(word: u32) -> bool {
    word & 0xffff_f01f == 0xd503_301f && matches!(word >> 5 & 0b111, 0b100..=0b110)
}

/// The TLBI instructions of EL1, with register 0, in the order of `b20_tlbi_of_el1` (Arm ARM, "SYS"
/// and the page of each instruction).
///
/// * By page and by range: VAALE1IS, RVAALE1IS, VAAE1IS, RVAAE1IS, VALE1IS, RVALE1IS, VAE1IS,
///   RVAE1IS.
/// * ASIDE1IS, VMALLE1IS.
/// * The same ten for this CPU only.
const OF_EL1: [u16; 20] = [
    0x83e0, 0x82e0, 0x8360, 0x8260, 0x83a0, 0x82a0, 0x8320, 0x8220, 0x8340, 0x8300, 0x87e0, 0x86e0,
    0x8760, 0x8660, 0x87a0, 0x86a0, 0x8720, 0x8620, 0x8740, 0x8700,
];

/// The TLBI instructions of EL2, in the same order.
///
/// * VALE2IS, RVALE2IS, VAE2IS, RVAE2IS, and the same four again, because EL2 does not have ASIDs.
/// * ALLE2IS in the place of ASIDE1IS, and ALLE2IS.
/// * The same ten for this CPU only.
const OF_EL2: [u16; 20] = [
    0x83a0, 0x82a0, 0x8320, 0x8220, 0x83a0, 0x82a0, 0x8320, 0x8220, 0x8300, 0x8300, 0x87a0, 0x86a0,
    0x8720, 0x8620, 0x87a0, 0x86a0, 0x8720, 0x8620, 0x8700, 0x8700,
];

/// Each row is a function, the upper half of its TLBI instructions, which encodes the regime, and
/// the lower halves in their order.
const TLBI: [(&str, u32, [u16; 20]); 2] = [
    ("b20_tlbi_of_el1", 0xd508_0000, OF_EL1),
    ("b20_tlbi_of_el2", 0xd50c_0000, OF_EL2),
];

/// The default end of an invalidation: `dsb ish`, TLBI VALE1IS of `xzr`, `dsb ish`, `isb`.
const REPEATED: [u32; 4] = [0xd503_3b9f, 0xd508_83bf, 0xd503_3b9f, ISB];

/// Returns whether the word is a TLBI: SYS with CRn = 8.
pub(crate) fn is_tlbi(word: u32) -> bool {
    word & 0xfff8_f000 == 0xd508_8000
}

/// Checks all behaviours, in a program that has all functions.
pub(crate) fn check_both(program: &Path) -> Result<()> {
    check(program)?;
    check_tlbi(program)
}

/// Checks B20, B31 and B36.
fn check_tlbi(program: &Path) -> Result<()> {
    let bytes = fs::read(program)?;
    let file = object::File::parse(&*bytes)?;
    for (name, regime, expected) in TLBI {
        let expected = expected.map(|it| regime | u32::from(it));
        let found: Vec<u32> = function(&file, name)?
            .into_iter()
            .filter(|&word| is_tlbi(word))
            // The last five bits encode the register.
            .map(|word| word & !0x1f)
            .collect();
        ensure!(
            found == expected,
            "B20: {name} must have {expected:x?}, but has {found:x?}"
        );
    }
    println!("B20 B36 disassembly: both regimes have the TLBI instructions of the manual");
    let mut end = function(&file, "b31_end_of_the_given_machine")?;
    end.retain(|&word| is_barrier(word) || is_tlbi(word));
    ensure!(
        end == REPEATED,
        "B31: an invalidation must end by default with {REPEATED:x?}, but ends with {end:x?}"
    );
    println!("B31 disassembly: an invalidation ends by default with one more TLBI and `dsb ish`");
    Ok(())
}

/// Returns the instructions of the function `name`.
fn function(file: &object::File<'_>, name: &str) -> Result<Vec<u32>> {
    let symbol = file
        .symbol_by_name(name)
        .with_context(|| format!("the program does not have the function `{name}`"))?;
    code(file, &symbol)
}

/// Returns the instructions of a function.
fn code(file: &object::File<'_>, symbol: &object::Symbol<'_, '_>) -> Result<Vec<u32>> {
    let section = symbol
        .section_index()
        .context("the function is not in a section of the file")?;
    let code = file
        .section_by_index(section)?
        .data_range(symbol.address(), symbol.size())?
        .context("the function does not have code")?;
    let words = code.as_chunks().0.iter();
    Ok(words.map(|&it| u32::from_le_bytes(it)).collect())
}

/// Checks B01.
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
        ensure!(!barriers.is_empty(), "B01: {name} does not have a barrier");
        for pair in barriers.chunks(2) {
            ensure!(
                matches!(*pair, [(at, DSB_ISHST), (next, ISB)] if next == at + 1),
                "B01: {name} has a barrier outside a pair: {pair:x?}"
            );
            pairs += 1;
        }
    }
    ensure!(
        pairs > 0,
        "B01: {} does not have a function `b01_*`",
        program.display()
    );
    println!("B01 disassembly: {pairs} pairs, each `isb` immediately after its `dsb ishst`");
    Ok(())
}
