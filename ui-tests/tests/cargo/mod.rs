//! Cargo, run by the tests on other packages.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Writes files of a package or workspace, with the lock file of this one, and returns its folder.
pub(crate) fn write(name: &str, files: &[(&str, &str)]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let lock = ("Cargo.lock", include_str!("../../../Cargo.lock"));
    for (file, text) in files.iter().chain([&lock]) {
        let file = folder.join(file);
        fs::create_dir_all(file.parent().expect("a folder")).expect("it can be made");
        fs::write(file, text).expect("it can be written");
    }
    folder
}

/// Runs cargo in the folder, with arguments between spaces. Returns what it writes to its standard
/// output, or, if it fails, to its standard error.
pub(crate) fn run(folder: &Path, arguments: &str) -> Result<String, String> {
    let output = Command::new(env!("CARGO"))
        .args(arguments.split(' '))
        .arg("--quiet")
        .current_dir(folder)
        // The test says what the packages are compiled with, not its caller.
        .env_remove("RUSTFLAGS")
        .env_remove("CLIPPY_ARGS")
        .output()
        .expect("cargo can be run");
    let text = |bytes| String::from_utf8(bytes).expect("it writes UTF-8");
    if output.status.success() {
        Ok(text(output.stdout))
    } else {
        Err(text(output.stderr))
    }
}
