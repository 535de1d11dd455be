//! The compiler must refuse the cases in `fail`, with the text beside each. Those in `pass` must
//! compile without a warning, run, and hold their assertions.
//!
//! The texts are those of the compiler in `rust-toolchain.toml`. They quote nothing of the standard
//! library, so that they do not depend on its source being installed. After a change that means to
//! alter them: `TRYBUILD=overwrite cargo test -p ui-tests --test ui`, and read the difference.

use std::fs;
use std::path::Path;

/// Each case begins with two comment lines: what would go wrong, and what stops it.
fn check_the_files_in(folder: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    for file in fs::read_dir(&folder).expect("the folder is there") {
        let path = file.expect("it can be listed").path();
        let text = fs::read_to_string(&path).expect("it can be read");
        if path.extension().is_some_and(|it| it == "rs") {
            assert!(
                text.lines().take(2).all(|line| line.starts_with("// ")),
                "{}: the first two lines say what would go wrong, and what stops it",
                path.display()
            );
        } else {
            assert!(
                !text.contains("$RUST/"),
                "{}: quotes the standard library, which is not there without `rust-src`",
                path.display()
            );
        }
    }
}

// Two tests: trybuild checks its cases in one run of cargo only if none of them must compile.
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
