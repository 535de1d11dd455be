//! Row B01 in the disassembly: in the functions whose names begin with `b01_`, each `dsb ishst` has its `isb` right
//! behind it, and there is no other barrier.

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

pub(crate) fn check(program: &Path) -> Result<()> {
    let bytes = fs::read(program)?;
    let file = object::File::parse(&*bytes)?;
    let mut pairs = 0;
    for symbol in file.symbols() {
        let name = symbol.name()?;
        if !name.starts_with("b01_") {
            continue;
        }
        let section = symbol
            .section_index()
            .context("a function lies in a section")?;
        let code = file
            .section_by_index(section)?
            .data_range(symbol.address(), symbol.size())?
            .with_context(|| format!("{name} has no code"))?;
        let words: Vec<u32> = code
            .as_chunks()
            .0
            .iter()
            .map(|&it| u32::from_le_bytes(it))
            .collect();
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
