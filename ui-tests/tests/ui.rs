//! The compiler must refuse each case in `fail`, with the text in its `.stderr` file. Each case in
//! `pass` must compile without a warning, run, and pass its assertions.
//!
//! The compiler of `rust-toolchain.toml` writes the texts. They do not quote the standard library,
//! because its source may not be installed. `TRYBUILD=overwrite cargo test -p ui-tests --test ui`
//! writes them again after an intended change. Read the difference then.

use std::fs;
use std::path::Path;

/// Checks that each case begins with two comment lines: the danger, and the rule that prevents it.
fn check_the_files_in(folder: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    for file in fs::read_dir(&folder).expect("the folder exists") {
        let path = file.expect("the folder can be listed").path();
        let text = fs::read_to_string(&path).expect("the file can be read");
        if path.extension().is_some_and(|it| it == "rs") {
            assert!(
                text.lines().take(2).all(|line| line.starts_with("// ")),
                "{}: the first two lines must say what would go wrong, and what stops it",
                path.display()
            );
        } else {
            assert!(
                !text.contains("$RUST/"),
                "{}: quotes the standard library, which needs the component `rust-src`",
                path.display()
            );
        }
    }
}

// These are two tests, because trybuild checks its cases in one run of cargo only if all must fail.
#[test]
fn compile_fail() {
    check_the_files_in("fail");
    trybuild::TestCases::new().compile_fail("fail/*.rs");
}

#[test]
fn compile_pass() {
    check_the_files_in("pass");
    trybuild::TestCases::new().pass("pass/*.rs");
}
