//! The golden assembly: the instructions of a few functions of the program `budgets`, in a file.
//!
//! A reader can see the code that the compiler makes of a section, and review each change of it.
//!
//! The text does not depend on addresses, which the linker chooses. A branch inside a function goes
//! to a numbered line. A branch out of the function goes to a symbol without the compiler's hash.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use object::{Object, ObjectSymbol, SymbolKind};
use yaxpeax_arch::{Decoder, U8Reader};
use yaxpeax_arm::armv8::a64::InstDecoder;

use crate::disassembly::code;
use crate::golden;

/// The functions: an empty section, one store, loops of single writes, a range, nested sections,
/// and the attribute without and with `mmu`.
const FUNCTIONS: [&str; 10] = [
    "ours_enter_leave_byte",
    "ours_one_byte",
    "ours_map_byte",
    "ours_map_kernel_byte",
    "ours_map_kernel_word",
    "ours_range_byte",
    "ours_nested_byte",
    "ours_nested_store_byte",
    "ours_attribute_byte",
    "ours_attribute_mmu_byte",
];

/// The file with the expected text.
const FILE: &str = "examples/qemu/budgets.asm";

/// Compares the functions of `program` with the file, or writes the file.
pub(crate) fn check(program: &Path) -> Result<()> {
    golden::compare(FILE, &text(program)?)?;
    println!(
        "golden assembly: {} functions are as in {FILE}",
        FUNCTIONS.len()
    );
    Ok(())
}

/// Returns the functions of `program` as text.
fn text(program: &Path) -> Result<String> {
    let bytes = fs::read(program)?;
    let file = object::File::parse(&*bytes)?;
    let functions = file.symbols().filter(|it| it.kind() == SymbolKind::Text);
    let functions: HashMap<u64, _> = functions.map(|it| (it.address(), it)).collect();
    let mut text = String::from(
        "# What rustc makes of the functions in beside_c/src/forms.rs, with LSE.\n\
         # `cargo xtask test` compares it; `cargo xtask qemu budgets --bless` writes it.\n",
    );
    let mut due = Vec::new();
    for name in FUNCTIONS {
        let symbol = file.symbol_by_name(name);
        let symbol = symbol.with_context(|| format!("the function `{name}` is missing"))?;
        due.push((name.to_owned(), symbol.address()));
    }
    let mut done = 0;
    while let Some((title, start)) = due.get(done).cloned() {
        done += 1;
        writeln!(text, "\n{title}:")?;
        let function = &functions[&start];
        for (number, word) in (0..).zip(code(&file, function)?) {
            let (mut line, target) = instruction(word, start + 4 * number)?;
            if let Some(target) = target {
                if (start..start + function.size()).contains(&target) {
                    write!(line, "-> {}", (target - start) / 4)?;
                } else {
                    let name = functions.get(&target).and_then(|it| it.name().ok());
                    let name = name.map_or("elsewhere".into(), short);
                    // The crate's function out of line exists once for each storage of the bits.
                    // The first function that branches to it gives it a title.
                    if name.starts_with("leave") && due.iter().all(|(_, it)| *it != target) {
                        due.push((format!("{name}, of {title}"), target));
                    }
                    line.push_str(&name);
                }
            }
            writeln!(text, "{number:>4}  {line}")?;
        }
    }
    Ok(text)
}

/// Returns the text of the instruction at `address`. If the instruction refers to another address,
/// the text ends before that address, and the address is returned too.
fn instruction(word: u32, address: u64) -> Result<(String, Option<u64>)> {
    let decoded = InstDecoder::default()
        .decode(&mut U8Reader::new(&word.to_le_bytes()))
        .map_err(|error| anyhow!("{word:#010x}: {error}"))?
        .to_string();
    // The decoder prints a target as `$+0x1c`, relative to the instruction.
    let Some((rest, offset)) = decoded.split_once('$') else {
        return Ok((decoded, None));
    };
    let distance = offset.replace("0x", "");
    let distance = i64::from_str_radix(&distance, 16)
        .with_context(|| format!("unknown form of a branch target: {decoded}"))?;
    Ok((rest.into(), Some(address.wrapping_add_signed(distance))))
}

/// Returns the last part of a symbol's name, without the compiler's hash.
fn short(name: &str) -> String {
    let name = format!("{:#}", rustc_demangle::demangle(name));
    name.rsplit("::").next().unwrap_or_default().to_owned()
}
