//! The golden assembly: a few representative functions of the program `budgets`, as text beside the
//! package, so that what the compiler makes of a section is read, and a change of it is made
//! knowingly.
//!
//! The text does not depend on where the linker puts things: branches inside a function go to its numbered lines, those out
//! of it to a symbol, without the compiler's hash.

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

/// The functions: a loop of single writes, a range, a nested section, the attribute without and with `mmu`.
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

/// Where the text lies.
const FILE: &str = "examples/qemu/budgets.asm";

/// Compares the functions of `program` with the file, or writes it.
pub(crate) fn check(program: &Path) -> Result<()> {
    golden::compare(FILE, &text(program)?)?;
    println!(
        "golden assembly: {} functions are as in {FILE}",
        FUNCTIONS.len()
    );
    Ok(())
}

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
        let symbol = symbol.with_context(|| format!("no function {name}"))?;
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
                    // What the crate has out of line, once for each place of the bits, under the
                    // name of the function that gets there first.
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

/// The instruction at `address`; or, if it refers to another address, what stands before that, and
/// the other address.
fn instruction(word: u32, address: u64) -> Result<(String, Option<u64>)> {
    let decoded = InstDecoder::default()
        .decode(&mut U8Reader::new(&word.to_le_bytes()))
        .map_err(|error| anyhow!("{word:#010x}: {error}"))?
        .to_string();
    // A target is printed as `$+0x1c`, relative to the instruction.
    let Some((rest, offset)) = decoded.split_once('$') else {
        return Ok((decoded, None));
    };
    let distance = offset.replace("0x", "");
    let distance = i64::from_str_radix(&distance, 16)
        .with_context(|| format!("a target that is not understood: {decoded}"))?;
    Ok((rest.into(), Some(address.wrapping_add_signed(distance))))
}

/// The last part of a symbol's name, without the compiler's hash.
fn short(name: &str) -> String {
    let name = format!("{:#}", rustc_demangle::demangle(name));
    name.rsplit("::").next().unwrap_or_default().to_owned()
}
