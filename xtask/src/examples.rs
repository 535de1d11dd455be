//! The examples make their descriptors by the constructors, and those for the adoption are short.
//!
//! A reader copies an example. `Leaf(page | UXN | VALID)` compiles there, but the mapping faults on
//! a CPU. A constructor cannot make such a leaf, so this module looks for descriptors that an
//! example wraps itself. The QEMU program `descriptors` shows that the constructors' mappings work.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

/// The files and folders with examples. In Rust sources the part says which lines are read.
const PLACES: [(&str, Part); 10] = [
    ("README.md", Part::Everything),
    ("docs", Part::Everything),
    ("lazy-mmu/src", Part::DocComments),
    ("lazy-mmu-macros/src", Part::DocComments),
    ("ui-tests/pass", Part::Everything),
    ("examples/src", Part::Everything),
    ("examples/tests", Part::Everything),
    ("examples/driver", Part::Everything),
    ("examples/qemu/first_kernel", Part::Everything),
    ("examples/qemu/recipes", Part::Everything),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Everything,
    DocComments,
}

/// The tuple structs that wrap 64 bits.
const KINDS: [&str; 6] = [
    "Leaf",
    "UxnLeaf",
    "KernelLeaf",
    "El2Leaf",
    "Table",
    "TopLevel",
];

/// What an example may not contain, if `line` has it.
fn raw_bits(line: &str) -> Option<&'static str> {
    let is_name = |it: char| it.is_ascii_alphanumeric() || it == '_';
    for (open, _) in line.match_indices('(') {
        let kind = line[..open].rsplit(|it| !is_name(it)).next();
        if !kind.is_some_and(|it| KINDS.contains(&it)) {
            continue;
        }
        let argument = line[open + 1..].split(')').next().unwrap_or_default();
        // Bits from elsewhere have a variable's name: `Leaf(old)`, `Leaf(page.0)`.
        let variable = argument.strip_suffix(".0").unwrap_or(argument);
        let is_variable = variable.starts_with(|it: char| it.is_ascii_lowercase())
            && variable.chars().all(is_name);
        if !is_variable {
            return Some("wraps bits of its own");
        }
    }
    // The rows of a table begin and end with the same sign.
    let is_row = line.trim_start_matches(['/', '!', ' ']).starts_with('|');
    let joins = ["| VALID", "VALID |"].iter().any(|it| line.contains(it));
    (joins && !is_row).then_some("sets VALID itself")
}

/// What is wrong in `text`, the content of `file`: a line for each place.
fn mistakes(file: &Path, text: &str, part: Part) -> Vec<String> {
    text.lines()
        .enumerate()
        .filter(|(_, line)| {
            let line = line.trim_start();
            part == Part::Everything || line.starts_with("///") || line.starts_with("//!")
        })
        .filter_map(|(number, line)| {
            let what = raw_bits(line)?;
            Some(format!(
                "{}:{}: the example {what}:\n    {}\n  write `Leaf::page(address, attributes)`, \
                 `Leaf::new(..)` or `Table::at(address)` instead",
                file.display(),
                number + 1,
                line.trim()
            ))
        })
        .collect()
}

/// The files in `path`, and in the folders in it; or `path` itself.
fn files(path: &Path) -> Result<Vec<PathBuf>> {
    if path.is_file() {
        return Ok(vec![path.to_path_buf()]);
    }
    let mut found = Vec::new();
    let entries = fs::read_dir(path).with_context(|| format!("cannot read {}", path.display()))?;
    for entry in entries {
        found.extend(files(&entry?.path())?);
    }
    Ok(found)
}

#[test]
fn examples_make_descriptors_by_the_constructors() -> Result<()> {
    let workspace = crate::workspace()?;
    let (mut wrong, mut made) = (Vec::new(), 0);
    for (place, part) in PLACES {
        for file in files(&workspace.join(place))? {
            let is_source = file.extension().is_some_and(|it| it == "rs" || it == "md");
            if !is_source {
                continue;
            }
            let text = fs::read_to_string(&file)?;
            made += text.matches("::page(").count();
            wrong.extend(mistakes(file.strip_prefix(&workspace)?, &text, part));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(
        made >= 30,
        "only {made} pages in all examples: are they read?"
    );
    Ok(())
}

/// A reader searches the README for the error that the linker prints.
#[test]
fn the_readme_quotes_the_symbol_of_the_link_errors() -> Result<()> {
    let readme = fs::read_to_string(crate::workspace()?.join("README.md"))?;
    for problem in ["undefined", "duplicate"] {
        let error = format!("\n{problem} symbol: {}\n", lazy_mmu::__symbol!(context));
        assert!(readme.contains(&error), "README.md does not quote {error}");
    }
    Ok(())
}

/// The name of each constant of 64 bits in `text`, a source.
fn constants(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .filter_map(|line| line.strip_prefix("pub const ")?.split_once(": u64 ="))
        .map(|(name, _)| name)
}

/// A bit or a set that no program maps may not mean what its documentation says.
#[test]
fn every_named_attribute_is_mapped_on_the_emulated_cpu() -> Result<()> {
    let workspace = crate::workspace()?;
    let attributes = workspace.join("lazy-mmu/src/aarch64/descriptor/attributes.rs");
    let programs = ["src/bin/descriptors.rs", "el2_without_vhe/src/main.rs"]
        .map(|it| workspace.join("examples/qemu").join(it));
    let mut words = Vec::new();
    for program in &programs {
        let text = fs::read_to_string(program)?;
        let is_name = |it: char| it.is_ascii_alphanumeric() || it == '_';
        words.extend(text.split(|it| !is_name(it)).map(String::from));
    }
    let text = fs::read_to_string(attributes)?;
    assert!(constants(&text).count() >= 20, "the constants are read");
    for name in constants(&text) {
        // The first is the import.
        let uses = words.iter().filter(|it| *it == name).count();
        assert!(uses >= 2, "neither {programs:?} uses {name}");
    }
    Ok(())
}

/// The lines of a recipe that a kernel has for this crate alone.
///
/// # Errors
///
/// If the marks do not come in pairs, or an `unsafe` stands there that a recipe does not need: it
/// needs those of the backend's implementation, and of the task's handle.
fn lines_for_the_crate(text: &str) -> Result<Vec<&str>> {
    let (mut lines, mut inside) = (Vec::new(), false);
    for line in text.lines().map(str::trim) {
        match line {
            "// lazy-mmu: begin" | "// lazy-mmu: end" => {
                let begins = line.ends_with("begin");
                ensure!(inside != begins, "a second `{line}`");
                inside = begins;
            }
            _ if inside && !line.is_empty() => lines.push(line),
            _ => {}
        }
    }
    ensure!(!inside, "no `// lazy-mmu: end`");
    for line in &lines {
        let is_comment = line.starts_with("//");
        let is_needed = line.contains("unsafe impl aarch64::Kernel for")
            || line.contains("unsafe { Handle::<Mmu>::current() }");
        ensure!(
            is_comment || is_needed || !line.contains("unsafe"),
            "`{line}` is neither the backend nor the task's handle"
        );
    }
    Ok(lines)
}

/// `docs/adopting.md` says how many they are.
#[test]
fn k12_a_recipe_has_at_most_40_lines_for_the_crate() -> Result<()> {
    let workspace = crate::workspace()?;
    let adopting = fs::read_to_string(workspace.join("docs/adopting.md"))?;
    let recipes = files(&workspace.join("examples/qemu/recipes/src/bin"))?;
    assert_eq!(recipes.len(), 3);
    for file in recipes {
        let recipe = file.file_stem().unwrap_or_default().display();
        let text = fs::read_to_string(&file)?;
        let lines = lines_for_the_crate(&text).with_context(|| recipe.to_string())?;
        assert!(lines.len() >= 15, "{recipe}: the marks are missing");
        assert!(lines.len() <= 40, "{recipe}: {} lines", lines.len());
        // C12: what a context switch owes.
        for barrier in ["barrier::dsb(barrier::ISH);", "barrier::isb(barrier::SY);"] {
            assert!(lines.contains(&barrier), "{recipe}: no `{barrier}`");
        }
        let row = adopting
            .lines()
            .find(|line| line.starts_with('|') && line.contains(&format!("`{recipe}`")))
            .with_context(|| format!("docs/adopting.md does not mention {recipe}"))?;
        assert!(
            row.ends_with(&format!("| {} |", lines.len())),
            "docs/adopting.md: {recipe} has {} lines: {row}",
            lines.len()
        );
    }
    Ok(())
}

#[test]
fn the_first_kernel_has_at_most_200_lines() -> Result<()> {
    let file = crate::workspace()?.join("examples/qemu/first_kernel/src/main.rs");
    let lines = fs::read_to_string(file)?.lines().count();
    assert!(lines <= 200, "{lines} lines");
    Ok(())
}

#[test]
fn k12_marks_and_unsafe_are_found() -> Result<()> {
    let marked = |inside: &str| format!("a\n  // lazy-mmu: begin\n{inside}\n// lazy-mmu: end\nb");
    let text = marked("one\n\n  // unsafe");
    assert_eq!(lines_for_the_crate(&text)?, ["one", "// unsafe"]);
    assert_eq!(lines_for_the_crate("a\nb")?, [""; 0]);
    for wrong in [
        marked("unsafe { f() };"),
        marked("// lazy-mmu: begin"),
        "// lazy-mmu: end".to_owned(),
        "// lazy-mmu: begin\na".to_owned(),
    ] {
        assert!(lines_for_the_crate(&wrong).is_err(), "{wrong}");
    }
    Ok(())
}

#[test]
fn an_example_of_raw_bits_is_found() {
    for line in [
        "mmu.write(slot, Leaf(page | UXN | VALID));",
        "/// mmu.write(slot, lazy_mmu::aarch64::descriptor::Table(0x4000_0003));",
        "const PAGE: KernelLeaf = KernelLeaf(PAGE_BITS);",
        "Leaf(",
        "TopLevel(table.0 | 3)",
        "Leaf(bits) == El2Leaf(0)",
        "slot.store(page | UXN | VALID, Relaxed)",
    ] {
        assert!(raw_bits(line).is_some(), "{line}");
    }
    for line in [
        "mmu.write(slot, Leaf::page(0x4000_0000, KERNEL_DATA));",
        "Leaf(old).address(Granule::Kib4)",
        "assert!(!Leaf(page.0).needs_barrier());",
        "Event::TlbiTable(_) => 't',",
        "/// | [`Leaf`] | VALID is set and USER is clear |",
        "table(0, address)",
    ] {
        assert_eq!(raw_bits(line), None, "{line}");
    }
    let text = "fn f() {}\n/// Leaf(7)\nLeaf(7)\n";
    let found = |part| mistakes(Path::new("a.rs"), text, part);
    assert_eq!(found(Part::Everything).len(), 2);
    let [mistake] = &found(Part::DocComments)[..] else {
        panic!("the second line is a doc comment")
    };
    assert!(mistake.starts_with("a.rs:2: "), "{mistake}");
}
