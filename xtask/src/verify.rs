//! `cargo xtask verify`: the long forms of what `cargo xtask test` runs short, and what it leaves out. Each prints its counts,
//! and fails when one is lower than promised. `docs/verification.md` has the figures.

use std::fmt;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use xshell::{Shell, cmd};

use crate::qemu::{self, Kernels, Sections};
use crate::{counts, mutants, nightly, setup};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only these parts
    #[arg(value_enum)]
    parts: Vec<Part>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// An interrupt at every instruction boundary
    Interrupts,
    /// Sections under the generic timer
    Timer,
    /// Threads that migrate between CPUs
    Migration,
    /// Random programs, with an interrupt before every instruction, compared with the reference model
    Programs,
    /// Random programs on the host, compared with the reference model
    Model,
    /// Every legal order of the sections and pauses of two lineages
    Search,
    /// Every interleaving of a thread's sections with changes of its flags word
    Loom,
    /// The library's tests under Miri
    Miri,
    /// The host's tests under AddressSanitizer
    Asan,
    /// The library and the macro, changed one place at a time: the tests must see it
    Mutants,
}

/// What was counted, how often, and how often at least is promised.
struct Count {
    what: String,
    counted: usize,
    promised: usize,
}

impl Count {
    fn new(what: impl fmt::Display, counted: usize, promised: usize) -> Self {
        Self {
            what: what.to_string(),
            counted,
            promised,
        }
    }
}

pub(crate) fn run(shell: &Shell, args: &Args) -> Result<()> {
    let parts = if args.parts.is_empty() {
        Part::value_variants()
    } else {
        &args.parts
    };
    setup::everything(shell)?;
    let kernels = Kernels::build(shell)?;
    let mut lines = Vec::new();
    for &part in parts {
        let name = part.to_possible_value().context("no part is hidden")?;
        let name = name.get_name();
        println!("\n==> {name}");
        let start = Instant::now();
        let counts = part
            .run(shell, &kernels)
            .with_context(|| format!("the part that failed: {name}"))?;
        let seconds = start.elapsed().as_secs();
        for count in counts {
            ensure!(
                count.counted >= count.promised,
                "{name}: {}: {}, and {} are promised",
                count.what,
                count.counted,
                count.promised
            );
            lines.push(format!(
                "ok  {name}: {}: {} (at least {} are promised)",
                count.what, count.counted, count.promised
            ));
        }
        lines.push(format!("    {name} took {seconds} s"));
    }
    println!();
    for line in lines {
        println!("{line}");
    }
    Ok(())
}

impl Part {
    fn run(self, shell: &Shell, kernels: &Kernels) -> Result<Vec<Count>> {
        match self {
            Self::Interrupts => interrupts(kernels),
            Self::Timer => timer(kernels),
            Self::Migration => migration(kernels),
            Self::Programs => programs(kernels),
            Self::Model => model(shell),
            Self::Search => search(shell),
            Self::Loom => loom(shell),
            Self::Miri => {
                let tests = nightly::miri(shell)?.into_iter();
                Ok(tests
                    .map(|(model, tests)| {
                        Count::new(format!("tests, {model}"), tests, nightly::MIRI_TESTS)
                    })
                    .collect())
            }
            Self::Asan => {
                let tests = nightly::address_sanitizer(shell)?;
                Ok(vec![Count::new("tests", tests, nightly::ASAN_TESTS)])
            }
            Self::Mutants => {
                let figures = mutants::run(shell, &mutants::Args::default())?;
                let mutants = counts::before(&figures, " mutants:")?;
                Ok(vec![Count::new(figures, mutants, mutants::promised())])
            }
        }
    }
}

fn interrupts(kernels: &Kernels) -> Result<Vec<Count>> {
    let output = qemu::interrupts(kernels)?;
    let scenario = counts::sum_before(&output, " interrupts in one run")?;
    Ok(vec![
        Count::new(
            "injections",
            counts::before(&output, " injections in all")?,
            95_000,
        ),
        Count::new(
            "boundaries of the DEBUG_PAGEALLOC scenario, of both storages",
            scenario,
            10_000,
        ),
    ])
}

fn timer(kernels: &Kernels) -> Result<Vec<Count>> {
    let output = qemu::timer(kernels, Sections::Long)?;
    Ok(vec![
        Count::new(
            "sections, each storage, each way",
            counts::sum_before(&output, " sections with")?,
            4_000_000,
        ),
        Count::new(
            "interrupts inside a section",
            counts::sum_before(&output, " of them inside a section")?,
            90_000,
        ),
    ])
}

fn migration(kernels: &Kernels) -> Result<Vec<Count>> {
    let output = qemu::migration(kernels, Sections::Long)?;
    Ok(vec![
        Count::new(
            "sections, all ways",
            counts::sum_before(&output, " sections of")?,
            3_000_000,
        ),
        Count::new(
            "migrations inside a section",
            counts::sum_before(&output, " of them inside a section")?,
            30_000,
        ),
        Count::new(
            "migrations with a pair pending",
            counts::sum_before(&output, " with a pair pending")?,
            20_000,
        ),
        Count::new(
            "changes of others' flags",
            counts::sum_before(&output, " changes of others' flags")?,
            3_000_000,
        ),
    ])
}

fn programs(kernels: &Kernels) -> Result<Vec<Count>> {
    let output = qemu::random_programs(kernels, qemu::MANY_PROGRAMS)?;
    Ok(vec![
        Count::new(
            "programs, each storage",
            counts::sum_before(&output, " random programs")?,
            2 * qemu::MANY_PROGRAMS,
        ),
        Count::new(
            "interrupts",
            counts::sum_before(&output, " interrupts, one before")?,
            1_000_000,
        ),
    ])
}

/// Row S18 on the host.
fn model(shell: &Shell) -> Result<Vec<Count>> {
    const PROGRAMS: usize = 100_000;

    let output = cmd!(
        shell,
        "cargo test --locked --release -p lazy-mmu --test model"
    )
    .env("LAZY_MMU_RANDOM_PROGRAMS", PROGRAMS.to_string())
    .output()?;
    let text = String::from_utf8(output.stderr)?;
    println!("{text}");
    let all = |row| {
        let line = text.lines().find(|it| it.contains(row));
        counts::before(
            line.context("the test says how many programs it ran")?,
            " programs",
        )
    };
    Ok(vec![
        Count::new(
            "random programs",
            counts::sum_before(&text, " random programs")?,
            PROGRAMS,
        ),
        Count::new(
            "all programs of up to 8 operations",
            all("S18: all")?,
            7_425_914,
        ),
        Count::new(
            "all programs of up to 7 operations with a joined section",
            all("S27: all")?,
            1_428_005,
        ),
    ])
}

/// Row S18: the promises, at every step.
fn search(shell: &Shell) -> Result<Vec<Count>> {
    let output = cmd!(
        shell,
        "cargo test --locked --release -p lazy-mmu --test search -- --nocapture"
    )
    .env("LAZY_MMU_SEARCH_DEPTH", "6")
    .read()?;
    println!("{output}");
    Ok(vec![Count::new(
        "states, in both storages",
        counts::sum_before(&output, " states, 6 scopes deep")?,
        2 * 390_000,
    )])
}

fn loom(shell: &Shell) -> Result<Vec<Count>> {
    let output = cmd!(
        shell,
        "cargo test --locked --release -p lazy-mmu-loom -- --nocapture"
    )
    .read()?;
    println!("{output}");
    Ok(vec![Count::new(
        "interleavings",
        counts::sum_before(&output, " interleavings")?,
        5_000,
    )])
}
