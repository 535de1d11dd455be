//! `cargo xtask bench macro`: what the attribute costs the one who compiles.
//!
//! Ratios of medians, measured alternating on the same machine; no test depends on them.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Subcommand;
use xshell::{Shell, cmd};

use crate::{setup, table};

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: Option<Bench>,
}

#[derive(Subcommand)]
enum Bench {
    /// Compile 5,000 functions with and without the attribute, and the macro crate beside `tracing-attributes`
    Macro {
        /// How often each is built.
        #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(5..))]
        rounds: u32,
    },
}

pub(crate) fn run(shell: &Shell, args: &Args) -> Result<()> {
    match &args.what {
        None => {
            setup::qemu_parts(shell)?;
            table::run(shell)
        }
        Some(Bench::Macro { rounds }) => {
            functions(shell, *rounds)?;
            cold_builds(shell, *rounds)
        }
    }
}

/// How many functions the generated crates have.
const FUNCTIONS: usize = 5_000;

/// A generated crate: its name, what stands above each function, and what is its first statement.
const VARIANTS: [(&str, &str, &str); 3] = [
    ("plain", "", ""),
    (
        "let-by-hand",
        "",
        "let _section = lazy_mmu::__private::section::<lazy_mmu::Global>();\n    ",
    ),
    ("attribute", "#[lazy_mmu::lazy_mmu]\n", ""),
];

/// Builds the generated crates with `cargo build`, alternating, and prints the ratios to the plain one.
fn functions(shell: &Shell, rounds: u32) -> Result<()> {
    println!(
        "{FUNCTIONS} functions of 20 lines, `cargo build` of their crate alone, {rounds} rounds:\n"
    );
    for (about, profile) in [
        (
            "panic = \"abort\", as kernels have it",
            "[profile.dev]\npanic = \"abort\"\n",
        ),
        ("panic = \"unwind\"", ""),
    ] {
        let folder = fresh_folder(shell, "bench-macro")?;
        for (name, attribute, statement) in VARIANTS {
            let dependency = format!(
                "lazy-mmu = {{ path = '{}' }}",
                shell.current_dir().join("lazy-mmu").display()
            );
            package(
                shell,
                &folder.join(name),
                name,
                &dependency,
                profile,
                &source(attribute, statement),
            )?;
        }
        let mut times: [Vec<Duration>; VARIANTS.len()] = Default::default();
        // The first round builds what they depend on, and does not count.
        for round in 0..=rounds {
            for ((name, ..), times) in VARIANTS.iter().zip(&mut times) {
                let _dir = shell.push_dir(folder.join(name));
                let target = folder.join("target");
                cmd!(
                    shell,
                    "cargo clean --quiet --package {name} --target-dir {target}"
                )
                .quiet()
                .run()?;
                let time = timed(|| {
                    Ok(cmd!(shell, "cargo build --quiet --target-dir {target}")
                        .quiet()
                        .run()?)
                })?;
                if round > 0 {
                    times.push(time);
                }
            }
        }
        println!("{about}");
        table(VARIANTS.map(|(name, ..)| name).as_slice(), &mut times);
    }
    println!(
        "`let-by-hand` is the same statement, written into each function: what it costs is the compiler's work on a \
         variable with a destructor. What `attribute` adds to it is the macro.\n"
    );
    Ok(())
}

/// The generated crate.
fn source(attribute: &str, statement: &str) -> String {
    let mut source = String::from("use core::sync::atomic::{AtomicU64, Ordering};\n");
    for number in 0..FUNCTIONS {
        let bits = number * 4096 + 3;
        write!(
            source,
            "
{attribute}pub fn map_{number}(table: &[AtomicU64], first: usize, count: usize, frame: u64) -> Result<u64, usize> {{
    {statement}let mut mapped = 0;
    let mut descriptor = frame | {bits};
    for index in first..first + count {{
        let Some(slot) = table.get(index) else {{
            return Err(index);
        }};
        let before = slot.load(Ordering::Relaxed);
        if before & 1 != 0 {{
            if before != descriptor {{
                return Err(index);
            }}
            continue;
        }}
        slot.store(descriptor, Ordering::Relaxed);
        descriptor += 4096;
        mapped += 1;
    }}
    Ok(mapped)
}}
"
        )
        .expect("a string takes everything");
    }
    source
}

/// Builds the macro crate with all it depends on, and `tracing-attributes`, each from nothing.
fn cold_builds(shell: &Shell, rounds: u32) -> Result<()> {
    println!(
        "a macro crate and all that it depends on, `cargo build` from nothing, {rounds} rounds:\n"
    );
    let folder = fresh_folder(shell, "bench-macro-cold")?;
    let ours = format!(
        "lazy-mmu-macros = {{ path = '{}' }}",
        shell.current_dir().join("lazy-mmu-macros").display()
    );
    let dependencies = [
        ("tracing-attributes", "tracing-attributes = \"0.1\""),
        ("lazy-mmu-macros", &ours),
    ];
    for (name, dependency) in dependencies {
        package(
            shell,
            &folder.join(name),
            &format!("uses-{name}"),
            dependency,
            "",
            "",
        )?;
        let _dir = shell.push_dir(folder.join(name));
        // So that no download is in the time.
        cmd!(shell, "cargo fetch --quiet").quiet().run()?;
    }
    let mut times: [Vec<Duration>; 2] = Default::default();
    for _ in 0..rounds {
        for ((name, _), times) in dependencies.iter().zip(&mut times) {
            let _dir = shell.push_dir(folder.join(name));
            let target = folder.join(name).join("target");
            shell.remove_path(&target)?;
            times.push(timed(|| {
                Ok(cmd!(shell, "cargo build --quiet --target-dir {target}")
                    .quiet()
                    .run()?)
            })?);
        }
    }
    table(&dependencies.map(|(name, _)| name), &mut times);
    Ok(())
}

fn timed(f: impl FnOnce() -> Result<()>) -> Result<Duration> {
    let start = Instant::now();
    f()?;
    Ok(start.elapsed())
}

/// Prints the medians, the extremes, and the ratio of each median to the first.
fn table(names: &[&str], times: &mut [Vec<Duration>]) {
    println!(
        "  {:<20} {:>9} {:>9} {:>9} {:>7}",
        "", "median", "least", "most", "ratio"
    );
    let mut first = None;
    for (name, times) in names.iter().zip(times) {
        times.sort_unstable();
        let median = times[times.len() / 2].as_secs_f64();
        let first = *first.get_or_insert(median);
        println!(
            "  {name:<20} {median:>7.2} s {:>7.2} s {:>7.2} s {:>7.2}",
            times[0].as_secs_f64(),
            times[times.len() - 1].as_secs_f64(),
            median / first
        );
    }
    println!();
}

/// An empty folder among the build's.
fn fresh_folder(shell: &Shell, name: &str) -> Result<PathBuf> {
    let folder = shell.current_dir().join("target").join(name);
    shell.remove_path(&folder)?;
    shell.create_dir(&folder)?;
    Ok(folder)
}

/// Writes a package with one dependency, outside the workspace, but with its versions and compiler.
fn package(
    shell: &Shell,
    folder: &Path,
    name: &str,
    dependency: &str,
    profile: &str,
    source: &str,
) -> Result<()> {
    shell.write_file(
        folder.join("Cargo.toml"),
        format!(
            "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\npublish = false\n\n\
             [dependencies]\n{dependency}\n\n{profile}\n[workspace]\n"
        ),
    )?;
    shell.write_file(folder.join("src/lib.rs"), source)?;
    fs::copy(
        shell.current_dir().join("Cargo.lock"),
        folder.join("Cargo.lock"),
    )
    .map(drop)
    .context("the workspace has a Cargo.lock")
}
