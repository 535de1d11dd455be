//! Cargo, run by the tests on other packages.

use std::fs;
use std::path::Path;
use std::process::Command;

/// Writes files of a package or workspace, with the lock file of this one, and returns the path of
/// its manifest.
pub(crate) fn write(name: &str, files: &[(&str, &str)]) -> String {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let lock = ("Cargo.lock", include_str!("../../../Cargo.lock"));
    for (file, text) in files.iter().chain([&lock]) {
        let file = folder.join(file);
        fs::create_dir_all(file.parent().expect("a folder")).expect("it can be made");
        fs::write(file, text).expect("it can be written");
    }
    folder
        .join("Cargo.toml")
        .to_str()
        .expect("the path is text")
        .to_owned()
}

/// What a run gave.
pub(crate) struct Output {
    pub(crate) success: bool,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs cargo.
pub(crate) fn run(arguments: &[&str]) -> Output {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .arg("--quiet")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        // The test says what the packages are compiled with, not its caller.
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
