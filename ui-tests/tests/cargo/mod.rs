//! Cargo, run by the tests on other packages of this workspace.

use std::process::Command;

/// What a run gave.
pub(crate) struct Output {
    pub(crate) success: bool,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs cargo in the workspace, with the versions that its lock file has.
pub(crate) fn run(arguments: &[&str]) -> Output {
    run_anywhere(&[arguments, &["--locked"]].concat())
}

/// Runs cargo.
pub(crate) fn run_anywhere(arguments: &[&str]) -> Output {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .arg("--quiet")
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

/// Runs cargo, which must succeed, and returns what it writes to its standard output.
#[allow(dead_code, reason = "not every test program uses it")]
pub(crate) fn succeed(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(
        output.success,
        "cargo {}: {}",
        arguments.join(" "),
        output.stderr
    );
    output.stdout
}
