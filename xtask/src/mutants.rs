//! `cargo xtask mutants`: checks that the tests fail if the source is wrong.
//!
//! A *mutant* is the source with a change in one place. cargo-mutants makes the mutants and runs
//! the tests on each. `mutants.txt` lists the mutants that tests cannot catch, with the reasons.
//! The result must be exactly this list.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use xshell::Shell;

use crate::setup;

/// The packages that have mutants.
const PACKAGES: [&str; 2] = ["lazy-mmu", "lazy-mmu-macros"];

/// The list of the mutants that tests do not catch.
const LIST: &str = "xtask/mutants.txt";

/// A test command for the mutants of a package. It runs on those that earlier stages did not catch.
struct Stage {
    name: &'static str,
    package: &'static str,
    /// The files whose mutants the stage tests. An empty list means all files.
    files: &'static [&'static str],
    /// Arguments of cargo-mutants. `-C` marks those for `cargo test`. Another package with the
    /// tests is among them, because the run without a mutant ignores `--test-package`.
    arguments: &'static [&'static str],
    environment: &'static [(&'static str, &'static str)],
}

/// Switches optimization off, because it takes longer than it saves for small tests.
const NOT_OPTIMIZED: &[(&str, &str)] = &[
    ("CARGO_PROFILE_TEST_OPT_LEVEL", "0"),
    ("CARGO_PROFILE_TEST_DEBUG", "0"),
];

/// The stages in their order. Quick stages are first, because a later stage tests fewer mutants.
const STAGES: [Stage; 5] = [
    // Without the test `model`, because it takes half a minute. A mutant that only the model
    // catches needs a test in the rows.
    Stage {
        name: "the rows on the host",
        package: "lazy-mmu",
        files: &[],
        arguments: &["-C=--lib", "-C=--test=rows", "-C=--test=global_*"],
        environment: NOT_OPTIMIZED,
    },
    // For the code that a host does not execute.
    Stage {
        name: "the kernels for aarch64 in QEMU",
        package: "lazy-mmu",
        files: &[
            "lazy-mmu/src/aarch64/barriers.rs",
            "lazy-mmu/src/aarch64/kernel.rs",
            "lazy-mmu/src/aarch64/task_pointer.rs",
            "lazy-mmu/src/aarch64/tlb.rs",
        ],
        arguments: &[
            "-C=--package=xtask",
            "--features=xtask/qemu",
            "-C=--test=qemu",
            "--cargo-test-arg=--",
            "--cargo-test-arg=aarch64",
        ],
        environment: &[],
    },
    Stage {
        name: "the kernels for RISC-V in QEMU",
        package: "lazy-mmu",
        files: &[
            "lazy-mmu/src/protocol/place.rs",
            "lazy-mmu/src/riscv64/harts.rs",
            "lazy-mmu/src/riscv64/taking_away.rs",
            "lazy-mmu/src/riscv64/task_pointer.rs",
        ],
        arguments: &[
            "-C=--package=xtask",
            "--features=xtask/qemu",
            "-C=--test=qemu",
            "--cargo-test-arg=--",
            "--cargo-test-arg=riscv64",
        ],
        environment: &[],
    },
    Stage {
        name: "the expansion as a function",
        package: "lazy-mmu-macros",
        files: &[],
        arguments: &["-C=--lib"],
        environment: &[],
    },
    // For the entry point of the macro, which the stage above does not call.
    Stage {
        name: "the attribute in the compiler",
        package: "lazy-mmu-macros",
        files: &["lazy-mmu-macros/src/lib.rs"],
        arguments: &["-C=--package=ui-tests", "-C=--test=ui"],
        environment: &[],
    },
];

/// The result of the tests with a mutant.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// A test failed.
    Caught,
    /// The mutant does not compile.
    Unviable,
    /// The tests did not end.
    Hangs,
    /// The tests passed.
    Survives,
}

/// A mutant: its entry in the list, and the result of the tests.
struct Mutant {
    entry: String,
    outcome: Outcome,
}

impl Mutant {
    /// Returns the entry of the mutant, if it must be in the list.
    fn into_listed(self, listed: &[String]) -> Option<String> {
        match self.outcome {
            Outcome::Hangs | Outcome::Survives => Some(self.entry),
            // A loop that does not end may use up the memory before the time. The system then kills
            // the test, which counts as a failure.
            Outcome::Caught => Some(self.entry + HANGS).filter(|it| listed.contains(it)),
            Outcome::Unviable => None,
        }
    }
}

#[derive(clap::Args, Default)]
pub(crate) struct Args {
    /// Test only the mutants in these files and folders, such as `lazy-mmu/src/riscv64`
    paths: Vec<PathBuf>,
}

impl Args {
    /// Returns whether the mutants in `file` are tested.
    fn include(&self, file: &str) -> bool {
        self.paths.is_empty() || self.paths.iter().any(|it| Path::new(file).starts_with(it))
    }

    /// Returns whether mutants of the package are tested.
    fn include_package(&self, package: &str) -> bool {
        self.paths.is_empty() || self.paths.iter().any(|it| it.starts_with(package))
    }

    /// Returns patterns for the files of a stage, or `None` if the stage has no file to test. An
    /// empty list means all files.
    fn files(&self, stage: &Stage) -> Option<Vec<String>> {
        if stage.files.is_empty() {
            let paths = self.paths.iter().map(|it| it.display().to_string());
            let patterns = paths.flat_map(|it| [format!("{it}/**"), it]);
            return Some(patterns.collect());
        }
        let files = stage.files.iter().filter(|it| self.include(it));
        let files: Vec<_> = files.map(|it| (*it).to_owned()).collect();
        (!files.is_empty()).then_some(files)
    }
}

/// Runs all stages. Returns a line of figures.
pub(crate) fn run(shell: &Shell, args: &Args) -> Result<String> {
    let mut listed = read_list(&fs::read_to_string(shell.current_dir().join(LIST))?)?;
    listed.retain(|it| it.split(':').next().is_some_and(|file| args.include(file)));
    setup::qemu_parts(shell)?;
    setup::subcommand(shell, "mutants")?;

    let start = Instant::now();
    let mut mutants: BTreeMap<String, Mutant> = BTreeMap::new();
    for package in PACKAGES.into_iter().filter(|it| args.include_package(it)) {
        let before = mutants.len();
        for (number, stage) in (0..).zip(STAGES.iter().filter(|it| it.package == package)) {
            let Some(files) = args.files(stage) else {
                continue;
            };
            println!("\n==> mutants of {package}: {}", stage.name);
            mutants.extend(run_stage(shell, stage, &files, number == 0)?);
        }
        ensure!(mutants.len() > before, "{package} has zero mutants");
    }

    let count = |outcome| mutants.values().filter(|it| it.outcome == outcome).count();
    let figures = format!(
        "{} mutants: {} caught, {} do not compile, {} do not end, {} survive ({} minutes)",
        mutants.len(),
        count(Outcome::Caught),
        count(Outcome::Unviable),
        count(Outcome::Hangs),
        count(Outcome::Survives),
        start.elapsed().as_secs().div_ceil(60),
    );
    println!("\n{figures}");
    let found = mutants
        .into_values()
        .filter_map(|it| it.into_listed(&listed));
    compare(found.collect(), listed)?;
    println!("{LIST} lists each mutant that survives or does not end, with the reason");
    Ok(figures)
}

/// Runs cargo-mutants once. Returns the mutants that it tested, by name.
fn run_stage(
    shell: &Shell,
    stage: &Stage,
    files: &[String],
    first: bool,
) -> Result<BTreeMap<String, Mutant>> {
    let output = shell
        .current_dir()
        .join("target/mutants")
        .join(stage.package);
    if first {
        shell.remove_path(&output)?;
    }
    shell.create_dir(&output)?;
    // `Shell` would treat each exit code except 0 as a failure.
    let status = Command::new("cargo")
        .current_dir(shell.current_dir())
        .args(["mutants", "--colors=never", "--iterate", "-C=--locked"])
        .arg(format!("--package={}", stage.package))
        .args(files.iter().map(|it| format!("--file={it}")))
        .args(stage.arguments)
        // cargo-mutants derives the time limit from a run without a mutant. This run is short, and
        // the machine may be busier later.
        .arg("--minimum-test-timeout=30")
        .arg("--output")
        .arg(&output)
        .envs(stage.environment.iter().copied())
        .status()
        .context("cannot start cargo-mutants")?;
    // 0: all were caught; 2: some survive; 3: some do not end.
    ensure!(
        matches!(status.code(), Some(0 | 2 | 3)),
        "cargo-mutants ended with {status}"
    );
    let outcomes = output.join("mutants.out/outcomes.json");
    let outcomes: Value = serde_json::from_str(&fs::read_to_string(outcomes)?)?;
    let outcomes = outcomes["outcomes"].as_array().context("no outcomes")?;
    outcomes
        .iter()
        // The other kind of scenario is the run without a mutant.
        .filter_map(|it| Some((it["scenario"].get("Mutant")?, &it["summary"])))
        .map(|(mutant, summary)| mutant_of(shell.current_dir().as_path(), mutant, summary))
        .collect()
}

fn mutant_of(workspace: &Path, mutant: &Value, summary: &Value) -> Result<(String, Mutant)> {
    let outcome = match summary.as_str() {
        Some("CaughtMutant") => Outcome::Caught,
        Some("Unviable") => Outcome::Unviable,
        Some("Timeout") => Outcome::Hangs,
        Some("MissedMutant") => Outcome::Survives,
        other => bail!("unknown outcome of a mutant: {other:?}"),
    };
    let text = |value: &Value| value.as_str().map(str::to_owned).context("not a string");
    let name = text(&mutant["name"])?;
    let file = text(&mutant["file"])?;
    let number = |of: &str, what: &str| {
        let number = mutant["span"][of][what].as_u64().context("not a number")?;
        usize::try_from(number).context("a line or column is too large")
    };
    // The name is `file:line:column: description of the change`.
    let what = name.splitn(4, ':').last().unwrap_or_default().trim();
    let source = fs::read_to_string(workspace.join(&file))?;
    let (line, end) = (number("start", "line")?, number("end", "line")?);
    let text = source.lines().nth(line - 1).context("missing line")?;
    let from = number("start", "column")? - 1;
    let to = if end == line {
        number("end", "column")? - 1
    } else {
        text.chars().count()
    };
    let mut entry = format!("{file}: {what}: {}", marked(text, from, to));
    if outcome == Outcome::Hangs {
        entry.push_str(HANGS);
    }
    Ok((name, Mutant { entry, outcome }))
}

/// The end of an entry whose tests do not end.
const HANGS: &str = " (does not end)";

/// Returns the line with marks around a part of it. The list does not have line numbers, because
/// each edit of a file changes them.
fn marked(line: &str, from: usize, to: usize) -> String {
    let mut marked = String::new();
    for (at, character) in line.chars().enumerate() {
        if at == from {
            marked.push('«');
        }
        if at == to {
            marked.push('»');
        }
        marked.push(character);
    }
    if line.chars().count() <= to {
        marked.push('»');
    }
    marked.trim().to_owned()
}

/// Reads the entries of the list. A paragraph has the reason, in lines that begin with `#`, and
/// then the mutants.
fn read_list(text: &str) -> Result<Vec<String>> {
    let mut entries = Vec::new();
    for paragraph in text.split("\n\n") {
        let is_reason = |line: &&str| line.starts_with('#');
        let reasons = paragraph.lines().take_while(is_reason).count();
        let mutants = paragraph.lines().skip(reasons).filter(|it| !it.is_empty());
        let before = entries.len();
        entries.extend(mutants.map(str::to_owned));
        ensure!(
            reasons > 0 || entries.len() == before,
            "{LIST}: a reason is missing above\n{paragraph}"
        );
    }
    Ok(entries)
}

/// Checks that the mutants that were found are exactly those in the list.
fn compare(found: Vec<String>, mut listed: Vec<String>) -> Result<()> {
    let mut unlisted = Vec::new();
    for entry in found {
        match listed.iter().position(|it| *it == entry) {
            Some(at) => drop(listed.swap_remove(at)),
            None => unlisted.push(entry),
        }
    }
    for entry in &unlisted {
        println!("the tests do not catch this mutant, and it is not listed:\n  {entry}");
    }
    for entry in &listed {
        println!("this mutant is listed, but it is caught or does not exist:\n  {entry}");
    }
    ensure!(
        unlisted.is_empty() && listed.is_empty(),
        "{LIST} differs from the result: {} mutants are not listed, {} are listed in error",
        unlisted.len(),
        listed.len()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_choose_the_packages_and_the_files_of_stages() {
        let paths = [
            "lazy-mmu/src/riscv64/tlb.rs",
            "lazy-mmu/src/riscv64/harts.rs",
        ];
        let args = Args {
            paths: paths.map(PathBuf::from).to_vec(),
        };
        assert!(args.include_package("lazy-mmu") && !args.include_package("lazy-mmu-macros"));
        let [host, aarch64, riscv64, ..] = STAGES.map(|stage| args.files(&stage));
        assert!(host.is_some_and(|it| paths.iter().all(|path| it.contains(&(*path).to_owned()))));
        assert_eq!(aarch64, None);
        assert_eq!(riscv64, Some(vec![paths[1].to_owned()]));
        let all = STAGES.map(|stage| Args::default().files(&stage));
        assert!(all.iter().all(Option::is_some));
    }

    #[test]
    fn the_place_is_marked_in_its_line() {
        assert_eq!(marked("    a | b;", 6, 7), "a «|» b;");
        assert_eq!(marked("    a | b;", 4, 10), "«a | b;»");
        assert_eq!(marked("é | b", 2, 3), "é «|» b");
    }

    #[test]
    fn every_paragraph_of_the_list_has_its_reason() {
        let list = "# What this is.\n\n# Why.\n# And why else.\na\nb\n\n# Another.\nc\n";
        assert_eq!(read_list(list).unwrap(), ["a", "b", "c"]);
        assert!(read_list("# Why.\na\n\nb\n").is_err());
    }

    #[test]
    fn one_more_and_one_fewer_are_refused() {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect();
        assert!(compare(words("a b a"), words("a a b")).is_ok());
        assert!(compare(words("a b"), words("a")).is_err());
        assert!(compare(words("a"), words("a b")).is_err());
        assert!(compare(words("a a"), words("a b")).is_err());
        assert!(compare(words("a a"), words("a")).is_err());
    }

    #[test]
    fn one_that_does_not_end_may_be_killed() {
        let listed = [format!("a{HANGS}"), "b".to_owned()];
        let into_listed = |entry: &str, outcome| {
            let entry = entry.to_owned();
            Mutant { entry, outcome }.into_listed(&listed)
        };
        assert_eq!(
            into_listed("a", Outcome::Caught).as_deref(),
            Some(&*listed[0])
        );
        assert_eq!(into_listed("b", Outcome::Caught), None);
        assert_eq!(into_listed("c", Outcome::Survives).as_deref(), Some("c"));
    }

    #[test]
    fn the_checked_in_list_can_be_read() {
        let list = crate::workspace().unwrap().join(LIST);
        let entries = read_list(&fs::read_to_string(list).unwrap()).unwrap();
        assert!(!entries.is_empty());
        // Each entry names a file, and quotes a line of it.
        for entry in entries {
            let [file, _, line] = entry.splitn(3, ": ").collect::<Vec<_>>()[..] else {
                panic!("not `file: what: line`: {entry}");
            };
            let source = fs::read_to_string(crate::workspace().unwrap().join(file)).unwrap();
            let line = line.trim_end_matches(HANGS).replace(['«', '»'], "");
            let has = |it: &str| it.trim() == line;
            assert!(source.lines().any(has), "{entry}");
        }
    }
}
