//! The tests that need a nightly compiler: Miri and AddressSanitizer.

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

use crate::counts;

pub(crate) fn miri_stacked_borrows(shell: &Shell) -> Result<()> {
    miri(shell, "-Zmiri-strict-provenance")
}

pub(crate) fn miri_tree_borrows(shell: &Shell) -> Result<()> {
    miri(shell, "-Zmiri-tree-borrows")
}

/// The library's tests under Miri.
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

/// The tests and the documentation's examples of the library and of the memory manager under
/// AddressSanitizer. Row S18 is left out: its unwinding takes minutes there.
pub(crate) fn address_sanitizer(shell: &Shell) -> Result<()> {
    let version = cmd!(shell, "rustc +nightly --version --verbose").read()?;
    let host = version
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .context("rustc says which host it is for")?;
    let output = cmd!(
        shell,
        "cargo +nightly test --locked -p lazy-mmu -p lazy-mmu-examples --target {host} --target-dir target/asan -- --skip s18_"
    )
    // Guards are forgotten on purpose, and what they hold with them.
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
