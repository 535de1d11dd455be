//! Cargo, run by the tests on other packages of this workspace.

use std::process::Command;

/// What a run gave.
pub(crate) struct Output {
    pub(crate) success: bool,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs cargo in the workspace.
pub(crate) fn run(arguments: &[&str]) -> Output {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .args(["--quiet", "--locked"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        // What the packages are compiled with is said here, not by the caller.
        .env_remove("RUSTFLAGS")
        .env_remove("CLIPPY_ARGS")
        .output()
        .expect("cargo can be run");
    let text = |bytes| String::from_utf8(bytes).expect("it writes UTF-8");
    Output {
        success: output.status.success(),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}
