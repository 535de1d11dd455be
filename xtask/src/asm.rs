//! `cargo xtask asm`: the golden assembly. A few representative functions of the program `budgets`, as text beside the
//! package, so that what the compiler makes of a section is read, and a change of it is made knowingly.
//!
//! The text does not depend on where the linker puts things: branches inside a function go to its numbered lines, those out
//! of it to a symbol, without the compiler's hash.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use object::{Object, ObjectSymbol, SymbolKind};
use yaxpeax_arch::{Decoder, U8Reader};
use yaxpeax_arm::armv8::a64::InstDecoder;

use crate::disassembly::code;

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
pub(crate) fn check(program: &Path, bless: bool) -> Result<()> {
    let text = text(program)?;
    let file = crate::workspace()?.join(FILE);
    if bless {
        fs::write(&file, &text)?;
        println!("{FILE} is written: read what became of it");
        return Ok(());
    }
    let golden = fs::read_to_string(&file).with_context(|| format!("{FILE} cannot be read"))?;
    for (number, (is, should)) in text.lines().zip(golden.lines()).enumerate() {
        ensure!(
            is == should,
            "{FILE}:{}: expected\n  {should}\nthe compiler made\n  {is}\n\
             If that is meant: `cargo xtask asm --bless`, and read what became of it.",
            number + 1
        );
    }
    ensure!(text == golden, "{FILE} has another number of lines");
    println!(
        "golden assembly: {} functions are as in {FILE}",
        FUNCTIONS.len()
    );
    Ok(())
}

fn text(program: &Path) -> Result<String> {
    let bytes = fs::read(program)?;
    let file = object::File::parse(&*bytes)?;
    let symbols: HashMap<u64, String> = file
        .symbols()
        .filter(|it| it.kind() == SymbolKind::Text)
        .filter_map(|it| Some((it.address(), short(it.name().ok()?))))
        .collect();
    let mut text = String::from(
        "# What rustc makes of the functions in src/forms.rs, for the kernel's profile, with LSE.\n\
         # `cargo xtask test` compares it; `cargo xtask asm --bless` writes it.\n",
    );
    let mut out_of_line = Vec::new();
    for name in FUNCTIONS {
        let symbol = file
            .symbol_by_name(name)
            .with_context(|| format!("no function {name} in {}", program.display()))?;
        writeln!(text, "\n{name}:")?;
        for line in function(&file, &symbol, &symbols)? {
            writeln!(text, "{}", line.text)?;
            // What the crate has out of line, once for each place of the bits, under the name of who gets there first.
            if let Some(target) = line.elsewhere
                && symbols
                    .get(&target)
                    .is_some_and(|it| it.starts_with("leave"))
                && out_of_line.iter().all(|(it, _)| *it != target)
            {
                out_of_line.push((target, name));
            }
        }
    }
    for (address, user) in out_of_line {
        let symbol = file
            .symbols()
            .find(|it| it.kind() == SymbolKind::Text && it.address() == address)
            .context("a branch to no function")?;
        writeln!(text, "\n{}, of {user}:", symbols[&address])?;
        for line in function(&file, &symbol, &symbols)? {
            writeln!(text, "{}", line.text)?;
        }
    }
    Ok(text)
}

/// A line of the text.
struct Line {
    text: String,
    /// The target, if it is a branch out of the function.
    elsewhere: Option<u64>,
}

/// The lines of one function, numbered.
fn function(
    file: &object::File<'_>,
    symbol: &object::Symbol<'_, '_>,
    symbols: &HashMap<u64, String>,
) -> Result<Vec<Line>> {
    let words = code(file, symbol)?;
    let lines = words.iter().enumerate().map(|(number, word)| {
        let address = symbol.address() + 4 * number as u64;
        let mut line = instruction(*word, address, symbol, symbols)?;
        line.text.insert_str(0, &format!("{number:>4}  "));
        Ok(line)
    });
    lines.collect()
}

/// One instruction, with the target of a branch as a line of the same function, or as a symbol.
fn instruction(
    word: u32,
    address: u64,
    function: &object::Symbol<'_, '_>,
    symbols: &HashMap<u64, String>,
) -> Result<Line> {
    let decoded = InstDecoder::default()
        .decode(&mut U8Reader::new(&word.to_le_bytes()))
        .map_err(|error| anyhow::anyhow!("{word:#010x}: {error}"))?;
    let line = decoded.to_string();
    let inside = |text| {
        Ok(Line {
            text,
            elsewhere: None,
        })
    };
    // A target is printed as `$+0x1c`, relative to the instruction.
    let Some((rest, offset)) = line.split_once('$') else {
        return inside(line);
    };
    let (sign, digits) = offset.split_at(1);
    let Ok(distance) = u64::from_str_radix(digits.trim_start_matches("0x"), 16) else {
        bail!("a target that is not understood: {line}");
    };
    let target = match sign {
        "+" => address.wrapping_add(distance),
        "-" => address.wrapping_sub(distance),
        _ => bail!("a target that is not understood: {line}"),
    };
    let start = function.address();
    if (start..start + function.size()).contains(&target) {
        inside(format!("{rest}-> {}", (target - start) / 4))
    } else {
        let name = symbols.get(&target).map_or("elsewhere", String::as_str);
        Ok(Line {
            text: format!("{rest}{name}"),
            elsewhere: Some(target),
        })
    }
}

/// A symbol's last part, without the compiler's hash.
fn short(name: &str) -> String {
    let Some(mangled) = name.strip_prefix("_ZN") else {
        return name.into();
    };
    let mut rest = mangled;
    let mut parts = Vec::new();
    while let Some(digits) = rest.find(|it: char| !it.is_ascii_digit()) {
        let Ok(length) = rest[..digits].parse::<usize>() else {
            break;
        };
        let Some(part) = rest.get(digits..digits + length) else {
            break;
        };
        parts.push(part);
        rest = &rest[digits + length..];
    }
    parts.pop();
    parts.last().map_or(name, |it| it).into()
}
