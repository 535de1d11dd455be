//! The project's own commands.
//!
//! `cargo xtask test` runs every test, and installs what it needs for that; `cargo xtask qemu` runs the kernels;
//! `cargo xtask litmus` asks the model checker what the barriers mean; `cargo xtask verify` runs the long forms; `cargo xtask
//! mutants` tests the tests; `cargo xtask bench` measures.

mod asm;
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
mod programs;
mod qemu;
mod setup;
mod size;
mod test;
mod verify;

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
    /// Run every test, on the host and on the emulated CPU; add what is missing (rustup components, QEMU)
    Test(test::Args),
    /// Build the kernels, run them in QEMU, and compare their counts with the hosted machine's
    Qemu(qemu::Args),
    /// Run the long forms of the tests: more programs, more interrupts, more sections
    Verify(verify::Args),
    /// Let herd7, which must be installed, judge the litmus tests, and compare its verdicts with theirs
    Litmus,
    /// Change the library one place at a time: a test must fail, or `xtask/mutants.txt` says why none can (an hour)
    Mutants(mutants::Args),
    /// Count the crate beside C and hand-written assembly, and draw docs/performance.svg
    Bench,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The causes, without a backtrace: they say what to do.
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

/// The workspace's folder.
fn workspace() -> Result<PathBuf> {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map(Path::to_path_buf)
        .context("xtask lies in the workspace")
}
