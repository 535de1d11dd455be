//! What needs a nightly compiler: Miri, and the host's tests under AddressSanitizer.

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

use crate::counts;
use crate::setup;

/// What Miri is told, besides its rule that all code be free of undefined behaviour.
const MODELS: [(&str, &str); 2] = [
    (
        "Stacked Borrows, strict provenance",
        "-Zmiri-strict-provenance",
    ),
    ("Tree Borrows", "-Zmiri-tree-borrows"),
];

/// The library's tests under Miri: guards, tokens, and both storages of the bits. Returns the number
/// of tests for each model.
pub(crate) fn miri(shell: &Shell) -> Result<String> {
    setup::nightly(shell, &["miri", "rust-src"])?;
    let mut passed = Vec::new();
    for (name, flags) in MODELS {
        let output = cmd!(
            shell,
            "cargo +nightly miri test --locked -p lazy-mmu --lib --tests --target-dir target/miri"
        )
        .env("MIRIFLAGS", flags)
        .read()?;
        println!("{output}");
        passed.push(format!("{name}: {}", counts::passed_tests(&output)?));
    }
    let passed = passed.join(", ");
    println!("Miri, {passed}");
    Ok(passed)
}

/// The tests and the documentation's examples of the library and of the memory manager under
/// AddressSanitizer. Row S18 is left out: its unwinding takes minutes there. Returns their number.
pub(crate) fn address_sanitizer(shell: &Shell) -> Result<String> {
    setup::nightly(shell, &[])?;
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
    println!("{output}");
    let passed = counts::passed_tests(&output)?;
    println!("AddressSanitizer: {passed}");
    Ok(passed)
}
