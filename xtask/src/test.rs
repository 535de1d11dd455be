//! `cargo xtask test`: each part, in order, and a line for each at the end.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use xshell::{Shell, cmd};

use crate::setup::{self, TARGET};
use crate::{layers, litmus, qemu};

/// A part's name, and what it does.
type Part = (&'static str, fn(&Shell) -> Result<()>);

const PARTS: [Part; 9] = [
    ("formatting", formatting),
    ("layers", layers::check),
    ("lints on the host", lints_on_the_host),
    ("lints on aarch64", lints_on_aarch64),
    ("documentation", documentation),
    ("tests on the host", tests_on_the_host),
    ("features", features),
    ("litmus tests", litmus::check),
    ("programs on the emulated CPU", programs_in_qemu),
];

/// Runs the parts whose names contain one of `words`; all, if there are none.
pub(crate) fn run(shell: &Shell, words: &[String]) -> Result<()> {
    let parts: Vec<_> = PARTS
        .iter()
        .filter(|(name, _)| words.is_empty() || words.iter().any(|it| name.contains(it)))
        .collect();
    ensure!(
        !parts.is_empty(),
        "no part has such a name: the parts are {}",
        PARTS.map(|(name, _)| name).join(", ")
    );
    setup::everything(shell)?;
    let mut done = Vec::new();
    for (name, part) in parts {
        println!("\n==> {name}");
        let start = Instant::now();
        part(shell).with_context(|| format!("the part that failed: {name}"))?;
        done.push((name, start.elapsed().as_secs()));
    }
    println!();
    for (name, seconds) in done {
        println!("ok  {name} ({seconds} s)");
    }
    Ok(())
}

fn formatting(shell: &Shell) -> Result<()> {
    Ok(cmd!(shell, "cargo fmt --all --check").run()?)
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
        "cargo clippy --locked -p lazy-mmu -p lazy-mmu-qemu -p lazy-mmu-early --bins --lib --target {TARGET} -- -D warnings"
    )
    .run()?;
    cmd!(
        shell,
        "cargo clippy --locked -p lazy-mmu-qemu --bins --lib --no-default-features --features el2 --target {TARGET} -- -D warnings"
    )
    .run()?;
    cmd!(
        shell,
        "cargo clippy --locked -p lazy-mmu-qemu --bins --lib --features c-form --target {TARGET} -- -D warnings"
    )
    .run()?;
    for package in ["lazy-mmu-first-kernel", "lazy-mmu-recipes"] {
        cmd!(
            shell,
            "cargo clippy --locked -p {package} --features kernel --target {TARGET} -- -D warnings"
        )
        .run()?;
    }
    Ok(())
}

fn documentation(shell: &Shell) -> Result<()> {
    let _env = shell.push_env("RUSTDOCFLAGS", "-D warnings");
    cmd!(shell, "cargo doc --locked --workspace --no-deps").run()?;
    // As docs.rs builds it.
    Ok(cmd!(
        shell,
        "cargo doc --locked -p lazy-mmu --no-deps --target {TARGET}"
    )
    .run()?)
}

fn tests_on_the_host(shell: &Shell) -> Result<()> {
    Ok(cmd!(shell, "cargo test --locked --workspace").run()?)
}

/// The crate alone, as its users build it: with each set of features, for the target it is made for.
fn features(shell: &Shell) -> Result<()> {
    for features in ["", "macros"] {
        cmd!(
            shell,
            "cargo build --locked -p lazy-mmu --no-default-features --features={features} --target {TARGET}"
        )
        .run()?;
    }
    for features in ["", "macros", "sim", "macros,sim"] {
        cmd!(
            shell,
            "cargo check --locked -p lazy-mmu --no-default-features --features={features}"
        )
        .run()?;
    }
    Ok(())
}

fn programs_in_qemu(shell: &Shell) -> Result<()> {
    qemu::test(shell)
}
