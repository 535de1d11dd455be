//! `cargo xtask verify`: runs the long forms of the tests, and tests that `cargo xtask test` leaves
//! out. Each part prints its figures, and `docs/verification.md` records them.

use std::time::Instant;

use anyhow::{Context, Result};
use clap::ValueEnum;
use xshell::{Shell, cmd};

use crate::observe::Observer;
use crate::qemu::{self, Kernels, Sections};
use crate::{barriers, counts, mutants, riscv64, setup};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Run only these parts
    #[arg(value_enum)]
    parts: Vec<Part>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Interrupts at every instruction boundary
    Interrupts,
    /// Sections under the generic timer
    Timer,
    /// Threads that migrate between CPUs
    Migration,
    /// Random programs with an interrupt before every instruction, compared with the model
    Programs,
    /// Random programs on the host, compared with the reference model
    Model,
    /// Every legal order of sections and pauses of the task handle and of closures
    Search,
    /// Every interleaving of a thread's sections with changes of its flags word
    Loom,
    /// The barriers of two kernels, removed one at a time: the observer must report it
    Barriers,
    /// The library and the macro, changed in one place at a time: a test must fail
    Mutants,
}

pub(crate) fn run(shell: &Shell, args: &Args) -> Result<()> {
    let parts = if args.parts.is_empty() {
        Part::value_variants()
    } else {
        &args.parts
    };
    setup::everything(shell)?;
    let kernels = Kernels::build(shell)?;
    let mut done = Vec::new();
    for &part in parts {
        let name = part.to_possible_value().context("a part is hidden")?;
        let name = name.get_name().to_owned();
        println!("\n==> {name}");
        let start = Instant::now();
        let figures = part
            .run(shell, &kernels)
            .with_context(|| format!("this part failed: {name}"))?;
        let seconds = start.elapsed().as_secs();
        done.push(format!("ok  {name} ({seconds} s): {figures}"));
    }
    println!("\n{}", done.join("\n"));
    Ok(())
}

impl Part {
    /// Runs the part. Returns its figures, which are all greater than 0.
    fn run(self, shell: &Shell, kernels: &Kernels) -> Result<String> {
        match self {
            Self::Interrupts => counts::figures(
                &qemu::interrupts(kernels)?,
                &["injections in all", "interrupts in one run"],
            ),
            Self::Timer => counts::figures(
                &qemu::timer(kernels, Sections::Long)?,
                &["sections with", "of them inside a section"],
            ),
            Self::Migration => counts::figures(
                &[
                    qemu::migration(kernels, Sections::Long)?,
                    Observer::build(shell)?.migration(kernels)?,
                    riscv64::migration(shell)?,
                ]
                .concat(),
                &[
                    "sections of",
                    "of them inside a section",
                    "with a pair pending",
                    "changes of others' flags",
                    "accesses",
                ],
            ),
            Self::Programs => counts::figures(
                &qemu::random_programs(kernels, qemu::MANY_PROGRAMS)?,
                &["random programs", "interrupts, one before"],
            ),
            Self::Model => {
                let _length = shell.push_env("LAZY_MMU_RANDOM_PROGRAMS", "100000");
                let output = long_test(shell, "lazy-mmu --test model")?;
                counts::figures(&output, &["random programs", "programs of up to"])
            }
            Self::Search => {
                let _depth = shell.push_env("LAZY_MMU_SEARCH_DEPTH", "6");
                let output = long_test(shell, "lazy-mmu --test search")?;
                counts::figures(&output, &["states, 6 scopes deep"])
            }
            Self::Loom => counts::figures(&long_test(shell, "lazy-mmu-loom")?, &["interleavings"]),
            Self::Barriers => barriers::verify(shell, &Observer::build(shell)?, kernels),
            Self::Mutants => mutants::run(shell, &mutants::Args::default()),
        }
    }
}

/// Runs the optimized tests of a package. Returns their output.
fn long_test(shell: &Shell, package: &str) -> Result<String> {
    let package = package.split(' ');
    let output = cmd!(
        shell,
        "cargo test --locked --release -p {package...} -- --nocapture"
    )
    .output()?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8(text)?;
    println!("{text}");
    Ok(text)
}
