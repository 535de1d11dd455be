//! Runs cargo on other packages, for the tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Writes the files of a package or workspace, with this workspace's lock file. Returns the folder.
pub(crate) fn write(name: &str, files: &[(&str, &str)]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let lock = ("Cargo.lock", include_str!("../../../Cargo.lock"));
    for (file, text) in files.iter().chain([&lock]) {
        let file = folder.join(file);
        fs::create_dir_all(file.parent().expect("a folder")).expect("a new folder");
        fs::write(file, text).expect("the file can be written");
    }
    folder
}

/// Runs cargo in the folder, with arguments that spaces separate. Returns cargo's standard output,
/// or its standard error if it fails.
pub(crate) fn run(folder: &Path, arguments: &str) -> Result<String, String> {
    let output = Command::new(env!("CARGO"))
        .args(arguments.split(' '))
        .arg("--quiet")
        .current_dir(folder)
        // The flags of the packages come from the test, not from its caller.
        .env_remove("RUSTFLAGS")
        .env_remove("CLIPPY_ARGS")
        .output()
        .expect("cargo can be run");
    let text = |bytes| String::from_utf8(bytes).expect("cargo writes UTF-8");
    if output.status.success() {
        Ok(text(output.stdout))
    } else {
        Err(text(output.stderr))
    }
}
