//! Installs the missing tools of the tests. If a tool cannot be installed, an error names the tool.
//! A missing tool never skips a test.

use anyhow::{Context, Result, bail};
use xshell::{Cmd, Shell, cmd};

/// The bare-metal target of the kernels.
pub(crate) const TARGET: &str = "aarch64-unknown-none";

/// The bare-metal target of the kernels for RISC-V.
pub(crate) const RISCV64: &str = "riscv64gc-unknown-none-elf";

/// The oldest compiler that builds the library crates.
pub(crate) const MSRV: &str = "1.85.0";

/// Installs the tools of `cargo xtask test`.
pub(crate) fn everything(shell: &Shell) -> Result<()> {
    component(shell, "rustfmt")?;
    component(shell, "clippy")?;
    // `rust-toolchain.toml` lists this component too, for readers of the standard library's source.
    component(shell, "rust-src")?;
    subcommand(shell, "hack")?;
    qemu_parts(shell)
}

/// Installs the toolchains for the further parts of `cargo xtask test --all`.
pub(crate) fn toolchains(shell: &Shell) -> Result<()> {
    let [aarch64, riscv64] = [TARGET, RISCV64].map(|it| format!("rust-std-{it}"));
    toolchain(shell, MSRV, &[&aarch64, &riscv64])?;
    toolchain(shell, "nightly", &["miri", "rust-src", &aarch64, &riscv64])
}

/// Installs the tools of the programs that do not contain the C form.
pub(crate) fn qemu(shell: &Shell) -> Result<()> {
    target(shell, TARGET)?;
    package(shell, "qemu-system-aarch64", "qemu-system-arm")?;
    target(shell, RISCV64)?;
    // The second package has the firmware that QEMU starts.
    package(shell, "qemu-system-riscv64", "qemu-system-misc opensbi")
}

/// Installs the tools of `cargo xtask qemu`.
pub(crate) fn qemu_parts(shell: &Shell) -> Result<()> {
    qemu(shell)?;
    // It disassembles the kernels, for the golden assembly. `rust-toolchain.toml` does not list it,
    // because only `cargo xtask` needs it.
    component(shell, "llvm-tools")?;
    // These compile the C form of the protocol, whose instructions are counted too.
    package(shell, "aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu")?;
    package(shell, "riscv64-linux-gnu-gcc", "gcc-riscv64-linux-gnu")
}

/// Installs a subcommand of cargo, from the package `cargo-NAME`.
pub(crate) fn subcommand(shell: &Shell, name: &str) -> Result<()> {
    if runs(cmd!(shell, "cargo {name} --version")) {
        return Ok(());
    }
    add(shell, &format!("cargo install cargo-{name} --locked"))
}

/// Installs a component of the workspace's toolchain.
///
/// `rust-toolchain.toml` lists the components too. rustup installs those together with the
/// toolchain, and only if the environment variable `RUSTUP_AUTO_INSTALL` permits it.
fn component(shell: &Shell, name: &str) -> Result<()> {
    // rustup lists most components with the host after the name.
    let with_host = format!("{name}-");
    if installed(shell, "component", |it| {
        it == name || it.starts_with(&with_host)
    })? {
        return Ok(());
    }
    add(shell, &format!("rustup component add {name}"))
}

/// Installs a target of the workspace's toolchain.
fn target(shell: &Shell, name: &str) -> Result<()> {
    if installed(shell, "target", |it| it == name)? {
        return Ok(());
    }
    add(shell, &format!("rustup target add {name}"))
}

/// Installs a toolchain and components of it.
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
            .with_context(|| {
                format!("the toolchain {name} lacks `{component}`: use another one")
            })?;
    }
    Ok(())
}

/// Returns whether a name in rustup's list of installed components or targets passes the test.
fn installed(shell: &Shell, what: &str, is: impl Fn(&str) -> bool) -> Result<bool> {
    let list = cmd!(shell, "rustup {what} list --installed").quiet().read();
    let list = list.context("cannot run `rustup`: install it from https://rustup.rs")?;
    Ok(list.lines().any(is))
}

/// Installs the package of `program` with apt, which needs root.
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
            "`{program}` is missing, and only root may install it: \
             `sudo apt-get update && sudo {install}`"
        );
    }
    let _frontend = shell.push_env("DEBIAN_FRONTEND", "noninteractive");
    cmd!(shell, "apt-get update").run()?;
    add(shell, &install)
}

/// Runs a command that installs a missing tool.
fn add(shell: &Shell, command: &str) -> Result<()> {
    println!("a tool is missing: `{command}` installs it");
    let words = command.split(' ');
    cmd!(shell, "env {words...}")
        .run()
        .with_context(|| format!("cannot install the tool: run `{command}` by hand"))
}

/// Returns whether a command succeeds.
fn runs(command: Cmd<'_>) -> bool {
    let command = command.quiet();
    command.ignore_stdout().ignore_stderr().run().is_ok()
}
