//! The parts of `cargo xtask test` with a nightly compiler: Miri, AddressSanitizer, docs.rs.

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

use crate::{counts, setup};

pub(crate) fn miri_stacked_borrows(shell: &Shell) -> Result<()> {
    miri(shell, "-Zmiri-strict-provenance")
}

pub(crate) fn miri_tree_borrows(shell: &Shell) -> Result<()> {
    miri(shell, "-Zmiri-tree-borrows")
}

/// Runs the tests of the library under Miri.
fn miri(shell: &Shell, flags: &str) -> Result<()> {
    let output = cmd!(
        shell,
        "cargo +nightly miri test --locked -p lazy-mmu --lib --tests --target-dir target/miri"
    )
    .env("MIRIFLAGS", flags)
    .read()?;
    println!("{output}\nMiri: {}", counts::passed_tests(&output)?);
    Ok(())
}

/// Runs the tests and doctests of the library and of the memory manager under AddressSanitizer. It
/// skips S18, because its unwinding takes minutes there.
pub(crate) fn address_sanitizer(shell: &Shell) -> Result<()> {
    let version = cmd!(shell, "rustc +nightly --version --verbose").read()?;
    let host = version
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .context("`rustc --version --verbose` does not print the host")?;
    let output = cmd!(
        shell,
        "cargo +nightly test --locked -p lazy-mmu -p lazy-mmu-examples --target {host}
         --target-dir target/asan -- --skip s18_"
    )
    // Some tests forget guards on purpose, and leak their memory.
    .env("ASAN_OPTIONS", "detect_leaks=0")
    .env("RUSTFLAGS", "-Zsanitizer=address")
    .env("RUSTDOCFLAGS", "-Zsanitizer=address")
    .env_remove("CARGO_ENCODED_RUSTFLAGS")
    .read()?;
    println!(
        "{output}\nAddressSanitizer: {}",
        counts::passed_tests(&output)?
    );
    Ok(())
}

/// Builds the pages of docs.rs, with the features and for the targets in each manifest.
pub(crate) fn docs_rs(shell: &Shell) -> Result<()> {
    setup::subcommand(shell, "docs-rs")?;
    for package in ["lazy-mmu", "lazy-mmu-macros"] {
        cmd!(
            shell,
            "cargo +nightly docs-rs --locked -p {package} --target-dir target/docs-rs"
        )
        .env("RUSTDOCFLAGS", "-D warnings")
        .run()?;
    }
    Ok(())
}
