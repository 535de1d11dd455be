//! `cargo xtask test`: runs the parts in parallel, prints a line for each, and lists the slowest.

use std::env;
use std::fs::{self, File};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use xshell::{Shell, cmd};

use crate::setup::{self, MSRV, RISCV64, TARGET};
use crate::{layers, litmus, nightly, observe, qemu, riscv64};

#[derive(Clone, Copy)]
struct Part {
    name: &'static str,
    run: fn(&Shell) -> Result<()>,
    /// Whether the part needs another compiler than the workspace's. Without arguments, only
    /// `--all` runs such a part.
    toolchain: bool,
}

const fn part(name: &'static str, run: fn(&Shell) -> Result<()>) -> Part {
    let toolchain = false;
    Part {
        name,
        run,
        toolchain,
    }
}

const fn with_toolchain(name: &'static str, run: fn(&Shell) -> Result<()>) -> Part {
    let toolchain = true;
    Part {
        name,
        run,
        toolchain,
    }
}

/// The parts, in the order in which the workers take them. Parts for the host alternate with parts
/// for the kernels, because two parts wait for each other if they build in the same target folder.
const PARTS: [Part; 19] = [
    part("formatting", formatting),
    part("widths", crate::widths::check),
    part("layers", layers::check),
    part("behaviours", crate::behaviours::check),
    part("litmus tests", litmus::check),
    part("programs on the emulated CPU", qemu::test),
    part("tests on the host", tests_on_the_host),
    part("programs under the observer", observe::test),
    part("programs on RISC-V", riscv64::test),
    part("lints on aarch64", lints_on_aarch64),
    part("lints on RISC-V", lints_on_riscv64),
    part("lints on the host", lints_on_the_host),
    part("documentation", documentation),
    part("features", features),
    with_toolchain("Miri with Stacked Borrows", nightly::miri_stacked_borrows),
    with_toolchain("Miri with Tree Borrows", nightly::miri_tree_borrows),
    with_toolchain("AddressSanitizer", nightly::address_sanitizer),
    with_toolchain("pages of docs.rs", nightly::docs_rs),
    with_toolchain("minimum supported Rust version", minimum_version),
];

fn names() -> String {
    PARTS.map(|it| it.name).join(", ")
}

#[derive(clap::Args)]
#[command(after_help = format!("The parts: {}", names()))]
pub(crate) struct Args {
    /// Run only the parts whose names contain one of these words
    parts: Vec<String>,

    /// Run all parts, also Miri, AddressSanitizer, docs.rs and the oldest compiler
    #[arg(long)]
    all: bool,

    /// Write the files with the expected outputs, instead of comparing with them
    #[arg(long)]
    bless: bool,
}

/// A part that has ended.
struct Done {
    name: &'static str,
    time: Duration,
    passed: bool,
}

/// Runs a single part in this process, and shows its output. Several parts run as processes, each
/// with a file for its output.
pub(crate) fn run(shell: &Shell, args: &Args) -> Result<()> {
    let matches = |it: &Part| args.parts.iter().any(|word| it.name.contains(word));
    let mut parts = Vec::from(PARTS);
    parts.retain(|it| {
        if args.parts.is_empty() {
            args.all || !it.toolchain
        } else {
            matches(it)
        }
    });
    if parts.is_empty() {
        bail!("unknown part; the parts are {}", names());
    }
    setup::everything(shell)?;
    if parts.iter().any(|it| it.toolchain) {
        setup::toolchains(shell)?;
    }
    match parts[..] {
        [part] if !args.bless => {
            (part.run)(shell).with_context(|| format!("this part failed: {}", part.name))?;
            println!("\nok  {}", part.name);
            Ok(())
        }
        _ => side_by_side(shell, &parts, args.bless),
    }
}

/// The environment variables that let `expect-test` and `trybuild` write their files.
const BLESS: [(&str, &str); 2] = [("UPDATE_EXPECT", "1"), ("TRYBUILD", "overwrite")];

/// Runs the parts in parallel, as many at a time as there are CPUs.
fn side_by_side(shell: &Shell, parts: &[Part], bless: bool) -> Result<()> {
    let logs = shell.current_dir().join("target/test-logs");
    fs::create_dir_all(&logs)?;
    let start = Instant::now();
    let next = Mutex::new(parts.iter());
    let done = Mutex::new(Vec::new());
    let work = || -> Result<()> {
        loop {
            // This statement releases the lock before the part begins.
            let part = next.lock().expect("a worker panicked").next();
            let Some(&Part { name, .. }) = part else {
                return Ok(());
            };
            let log = logs.join(format!("{}.txt", name.replace(' ', "-")));
            println!("...  {name}");
            let output = File::create(&log)?;
            let start = Instant::now();
            let status = Command::new(env::current_exe()?)
                .args(["test", name])
                .envs(BLESS.into_iter().filter(|_| bless))
                .stdin(Stdio::null())
                .stdout(output.try_clone()?)
                .stderr(output)
                .status()?;
            let time = start.elapsed();
            let passed = status.success();
            let word = if passed { "ok" } else { "FAILED" };
            let mut done = done.lock().expect("a worker panicked");
            done.push(Done { name, time, passed });
            println!(
                "{word:<4} {name} ({} s; {} of {} parts)",
                time.as_secs(),
                done.len(),
                parts.len()
            );
            if !passed {
                println!("{}", fs::read_to_string(&log)?);
            }
        }
    };
    let workers = thread::available_parallelism()?.get();
    thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let ended = workers.into_iter().map(|it| it.join().expect("a panic"));
        ended.collect::<Result<()>>()
    })?;
    let mut done = done.into_inner().expect("a worker panicked");
    done.sort_by_key(|it| std::cmp::Reverse(it.time));
    let slowest: Vec<_> = done.iter().take(3).collect();
    println!("\n{} s; the slowest parts:", start.elapsed().as_secs());
    for part in slowest {
        println!("  {:>4} s  {}", part.time.as_secs(), part.name);
    }
    println!("the output of each part is in {}", logs.display());
    let failed: Vec<_> = done.iter().filter(|it| !it.passed).collect();
    let names: Vec<_> = failed.iter().map(|it| it.name).collect();
    ensure!(
        failed.is_empty(),
        "these parts failed: {}",
        names.join(", ")
    );
    Ok(())
}

fn formatting(shell: &Shell) -> Result<()> {
    for folder in [".", qemu::KERNELS, riscv64::KERNELS] {
        let _folder = shell.push_dir(folder);
        cmd!(shell, "cargo fmt --all --check").run()?;
    }
    Ok(())
}

fn lints_on_the_host(shell: &Shell) -> Result<()> {
    Ok(cmd!(
        shell,
        "cargo clippy --locked --workspace --all-targets -- -D warnings"
    )
    .run()?)
}

fn lints_on_aarch64(shell: &Shell) -> Result<()> {
    cmd!(
        shell,
        "cargo clippy --locked -p lazy-mmu --target {TARGET} -- -D warnings"
    )
    .run()?;
    let _folder = shell.push_dir(qemu::KERNELS);
    cmd!(shell, "cargo clippy --locked -- -D warnings").run()?;
    Ok(cmd!(
        shell,
        "cargo clippy --locked -p el2_without_vhe -- -D warnings"
    )
    .run()?)
}

fn lints_on_riscv64(shell: &Shell) -> Result<()> {
    cmd!(
        shell,
        "cargo clippy --locked -p lazy-mmu --target {RISCV64} -- -D warnings"
    )
    .run()?;
    let _folder = shell.push_dir(riscv64::KERNELS);
    Ok(cmd!(shell, "cargo clippy --locked --workspace -- -D warnings").run()?)
}

fn documentation(shell: &Shell) -> Result<()> {
    let _env = shell.push_env("RUSTDOCFLAGS", "-D warnings");
    cmd!(shell, "cargo doc --locked --workspace --no-deps").run()?;
    // The author of a kernel builds it like this, without the feature `sim`.
    for target in [TARGET, RISCV64] {
        cmd!(
            shell,
            "cargo doc --locked -p lazy-mmu --no-deps --target {target}"
        )
        .run()?;
    }
    Ok(())
}

fn tests_on_the_host(shell: &Shell) -> Result<()> {
    Ok(cmd!(shell, "cargo test --locked --workspace").run()?)
}

/// Builds the crate alone, as its users do, with each set of features, for the host and the two
/// targets.
fn features(shell: &Shell) -> Result<()> {
    let check = [
        "hack",
        "check",
        "--locked",
        "-p",
        "lazy-mmu",
        "--feature-powerset",
    ];
    cmd!(shell, "cargo {check...}").run()?;
    for target in [TARGET, RISCV64] {
        cmd!(
            shell,
            "cargo {check...} --exclude-features sim --target {target}"
        )
        .run()?;
    }
    Ok(())
}

/// Builds only the library crates, with the oldest compiler that they support, for the host and the
/// two targets.
fn minimum_version(shell: &Shell) -> Result<()> {
    let check = [
        &format!("+{MSRV}"),
        "check",
        "--locked",
        "-p",
        "lazy-mmu",
        "--target-dir",
        "target/msrv",
    ];
    for more in [
        &["--all-features"][..],
        &["--no-default-features"],
        &["--target", TARGET],
        &["--target", RISCV64],
    ] {
        cmd!(shell, "cargo {check...} {more...}").run()?;
    }
    Ok(())
}
