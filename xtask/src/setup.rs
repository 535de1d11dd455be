//! What the tests need on the machine, added where that is possible, named where it is not. Nothing is skipped.

use anyhow::{Context, Result, bail};
use xshell::{Cmd, Shell, cmd};

/// The bare-metal target of the kernels.
pub(crate) const TARGET: &str = "aarch64-unknown-none";

/// The oldest compiler that the library crates build with.
pub(crate) const MSRV: &str = "1.85.0";

/// Everything for `cargo xtask test`.
pub(crate) fn everything(shell: &Shell) -> Result<()> {
    component(shell, "rustfmt")?;
    component(shell, "clippy")?;
    // As `rust-toolchain.toml` lists it, for those who read on into the standard library from here.
    component(shell, "rust-src")?;
    subcommand(shell, "hack")?;
    qemu_parts(shell)
}

/// Everything for the parts that `cargo xtask test --all` runs in addition.
pub(crate) fn toolchains(shell: &Shell) -> Result<()> {
    toolchain(shell, MSRV, &[])?;
    let target = format!("rust-std-{TARGET}");
    toolchain(shell, "nightly", &["miri", "rust-src", &target])
}

/// What the programs need that the C form is not linked with.
pub(crate) fn qemu(shell: &Shell) -> Result<()> {
    target(shell, TARGET)?;
    package(shell, "qemu-system-aarch64", "qemu-system-arm")
}

/// What `cargo xtask qemu` needs.
pub(crate) fn qemu_parts(shell: &Shell) -> Result<()> {
    qemu(shell)?;
    // For the C form of the protocol, which is counted beside the crate.
    package(shell, "aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu")
}

/// A subcommand of cargo, from its package `cargo-NAME`.
pub(crate) fn subcommand(shell: &Shell, name: &str) -> Result<()> {
    if runs(cmd!(shell, "cargo {name} --version")) {
        return Ok(());
    }
    add(shell, &format!("cargo install cargo-{name} --locked"))
}

/// Adds a component of the workspace's toolchain. `rust-toolchain.toml` lists them too, but rustup adds those only where
/// it may install by itself (`RUSTUP_AUTO_INSTALL`), and only together with the toolchain.
fn component(shell: &Shell, name: &str) -> Result<()> {
    // Most are listed with their host behind the name.
    let with_host = format!("{name}-");
    if installed(shell, "component", |it| {
        it == name || it.starts_with(&with_host)
    })? {
        return Ok(());
    }
    add(shell, &format!("rustup component add {name}"))
}

/// Adds a target of the workspace's toolchain.
fn target(shell: &Shell, name: &str) -> Result<()> {
    if installed(shell, "target", |it| it == name)? {
        return Ok(());
    }
    add(shell, &format!("rustup target add {name}"))
}

/// Adds a toolchain, and components of it.
pub(crate) fn toolchain(shell: &Shell, name: &str, components: &[&str]) -> Result<()> {
    if !runs(cmd!(shell, "rustup run {name} rustc --version")) {
        add(
            shell,
            &format!("rustup toolchain install {name} --profile minimal"),
        )?;
    }
    for component in components {
        cmd!(shell, "rustup component add --toolchain {name} {component}")
            .run()
            .with_context(|| format!("the toolchain {name} has no `{component}`; try another"))?;
    }
    Ok(())
}

fn installed(shell: &Shell, what: &str, is: impl Fn(&str) -> bool) -> Result<bool> {
    let list = cmd!(shell, "rustup {what} list --installed").quiet().read();
    let list =
        list.context("`rustup` is needed to find out what is installed: see https://rustup.rs")?;
    Ok(list.lines().any(is))
}

/// Installs the package of `program` through apt, as root on a machine that has it.
fn package(shell: &Shell, program: &str, package: &str) -> Result<()> {
    let has = |it| runs(cmd!(shell, "{it} --version"));
    if has(program) {
        return Ok(());
    }
    if !has("apt-get") {
        bail!(
            "`{program}` is missing: install it with this system's package manager \
             (Debian and Ubuntu: `apt-get install {package}`)"
        );
    }
    let install = format!("apt-get install --yes --no-install-recommends {package}");
    if cmd!(shell, "id -u").quiet().read()?.trim() != "0" {
        bail!(
            "`{program}` is missing, and only root may install it: `sudo apt-get update && sudo {install}`"
        );
    }
    let _frontend = shell.push_env("DEBIAN_FRONTEND", "noninteractive");
    cmd!(shell, "apt-get update").run()?;
    add(shell, &install)
}

/// Runs a command that adds what is missing.
fn add(shell: &Shell, command: &str) -> Result<()> {
    println!("something is missing: `{command}` adds it");
    let words = command.split(' ');
    cmd!(shell, "env {words...}")
        .run()
        .with_context(|| format!("run it by hand: `{command}`"))
}

/// Whether a command succeeds.
fn runs(command: Cmd<'_>) -> bool {
    let command = command.quiet();
    command.ignore_stdout().ignore_stderr().run().is_ok()
}
