//! The commands of this project, `cargo xtask ..`. `cargo xtask --help` lists them.

mod asm;
mod barriers;
mod behaviours;
mod bench;
mod counts;
mod disassembly;
#[cfg(test)]
mod examples;
mod golden;
mod layers;
mod litmus;
mod mutants;
mod nightly;
mod observe;
mod programs;
mod qemu;
mod riscv64;
mod setup;
mod size;
mod symbols;
mod test;
mod verify;
mod widths;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use xshell::Shell;

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run every test, on the host and on the emulated CPU; install missing tools
    Test(test::Args),
    /// Run the kernels in QEMU, and compare their counts with those of the simulated machine
    Qemu(qemu::Args),
    /// Run the kernels under the observer, which reports each access without its barrier
    Observe(observe::Args),
    /// Run the tests in their long forms: more programs, interrupts and sections
    Verify(verify::Args),
    /// Judge the litmus tests with herd7, which must be installed, and compare the verdicts
    Litmus,
    /// Change the library in one place at a time: a test must fail, or `xtask/mutants.txt` must
    /// have the reason (takes an hour)
    Mutants(mutants::Args),
    /// Count the instructions of the crate, of C and of assembly; draw docs/performance.svg
    Bench,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The causes say what to do, and a backtrace would hide them.
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<()> {
    let shell = Shell::new()?;
    shell.change_dir(workspace()?);
    match &args.command {
        Command::Test(args) => test::run(&shell, args),
        Command::Verify(args) => verify::run(&shell, args),
        Command::Observe(args) => {
            setup::qemu(&shell)?;
            observe::run(&shell, args)
        }
        Command::Litmus => litmus::run(&shell),
        Command::Mutants(args) => mutants::run(&shell, args).map(drop),
        Command::Bench => bench::run(&shell),
        Command::Qemu(args) => {
            if args.need_c_form() {
                setup::qemu_parts(&shell)?;
            } else {
                setup::qemu(&shell)?;
            }
            qemu::run(&shell, args)
        }
    }
}

/// Returns the folder of the workspace.
fn workspace() -> Result<PathBuf> {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map(Path::to_path_buf)
        .context("the package xtask is not in a workspace")
}
