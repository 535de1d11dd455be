//! The golden assembly: the instructions of a few functions of the program `budgets`, in a file.
//!
//! A reader can see the code that the compiler makes of a section, and review each change of it.
//!
//! The text does not depend on addresses, which the linker chooses. A branch inside a function goes
//! to a numbered line. A branch out of the function goes to a symbol without the compiler's hash.
//! Other addresses are `elsewhere`, and so are both halves of an address in two instructions.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use object::{Object, ObjectSymbol};
use xshell::{Shell, cmd};

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

/// Compares the functions of `program` with a file of the workspace `kernels`, or writes the file.
pub(crate) fn check(program: &Path, kernels: &str) -> Result<()> {
    let file = format!("{kernels}/budgets.asm");
    golden::compare(&file, &text(program)?)?;
    println!(
        "golden assembly: {} functions are as in {file}",
        FUNCTIONS.len()
    );
    Ok(())
}

/// Returns the functions of `program` as text.
fn text(program: &Path) -> Result<String> {
    let instructions = instructions(program)?;
    let bytes = fs::read(program)?;
    let file = object::File::parse(&*bytes)?;
    let mut text = String::from(
        "# What rustc makes of the functions in examples/qemu/beside_c/src/forms.rs.\n\
         # `cargo xtask test` compares it; `cargo xtask qemu budgets --bless` writes it.\n",
    );
    let mut due: Vec<_> = FUNCTIONS.map(|it| (it.to_owned(), it.to_owned())).into();
    let mut done = 0;
    while let Some((title, symbol)) = due.get(done).cloned() {
        done += 1;
        writeln!(text, "\n{title}:")?;
        let function = file.symbol_by_name(&symbol);
        let function = function.with_context(|| format!("the function `{symbol}` is missing"))?;
        let start = function.address();
        let lines = instructions.range(start..start + function.size());
        let numbers: HashMap<_, _> = lines.clone().map(|it| *it.0).zip(0..).collect();
        // The register that has the upper half of an address.
        let mut upper = None;
        for (number, (_, line)) in lines.enumerate() {
            let (mut line, symbol) = match line.split_once(" <") {
                Some((line, symbol)) => (line.to_owned(), symbol.strip_suffix('>')),
                None => (line.clone(), None),
            };
            let is_half = is_half(&line, &mut upper);
            if let Some(symbol) = symbol {
                let name = short(symbol);
                // The crate's function out of line exists once for each storage of the bits.
                // The first function that branches to it gives it a title.
                if name.starts_with("leave") && due.iter().all(|(_, it)| it != symbol) {
                    due.push((format!("{name}, of {title}"), symbol.to_owned()));
                }
                line = replace_last_number(&line, |address| match numbers.get(&address) {
                    Some(number) => format!("-> {number}"),
                    None => name,
                })?;
            } else if is_half {
                line = replace_last_number(&line, |_| "elsewhere".into())?;
            }
            writeln!(text, "{number:>4}  {line}")?;
        }
    }
    Ok(text)
}

/// Returns the instructions of `program` by their addresses. An instruction with an address ends
/// with a symbol: ` <name>` or ` <name+0x1c>`.
fn instructions(program: &Path) -> Result<BTreeMap<u64, String>> {
    let shell = Shell::new()?;
    let libraries = cmd!(shell, "rustc --print target-libdir").quiet().read()?;
    let objdump = Path::new(&libraries).with_file_name("bin/llvm-objdump");
    let output = cmd!(
        shell,
        "{objdump} --disassemble --no-show-raw-insn {program}"
    );
    let output = output.quiet().read()?;
    // Titles and names are not addresses.
    let instructions = output.lines().filter_map(|line| {
        let (address, instruction) = line.split_once(':')?;
        let address = u64::from_str_radix(address.trim(), 16).ok()?;
        // A comment has the value of an operand again.
        let instruction = instruction.split("//").next().unwrap_or_default();
        Some((address, instruction.trim().replace('\t', " ")))
    });
    Ok(instructions.collect())
}

/// Returns whether an instruction has one half of an address. `upper` is the register that has the
/// upper half, after the first instruction and until the second.
fn is_half(line: &str, upper: &mut Option<String>) -> bool {
    let (first, others) = line.split_once(", ").unwrap_or((line, line));
    if let Some(("adrp" | "auipc", register)) = first.split_once(' ') {
        *upper = Some(register.to_owned());
        return true;
    }
    let mut words = others.split(|it: char| !it.is_alphanumeric());
    let lower = upper.take_if(|register| words.any(|it| it == register));
    lower.is_some()
}

/// Replaces the last number of an instruction.
fn replace_last_number(line: &str, place: impl FnOnce(u64) -> String) -> Result<String> {
    let missing = || format!("there must be a number: {line}");
    let (before, rest) = line.rsplit_once("0x").with_context(missing)?;
    let end = rest.find(|it: char| !it.is_ascii_hexdigit());
    let (digits, after) = rest.split_at(end.unwrap_or(rest.len()));
    let place = place(u64::from_str_radix(digits, 16).with_context(missing)?);
    let before = before.trim_end_matches(['-', '#']);
    Ok(format!("{before}{place}{after}"))
}

/// Returns the last part of a symbol's name, without the compiler's hash.
fn short(name: &str) -> String {
    if name.contains('+') {
        return "elsewhere".to_owned();
    }
    let name = format!("{:#}", rustc_demangle::demangle(name));
    name.rsplit("::").next().unwrap_or_default().to_owned()
}
