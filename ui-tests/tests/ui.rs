//! The cases in `fail` must be refused by the compiler, with the text beside each; those in `pass` must compile without a
//! warning, run, and hold their assertions.
//!
//! The texts are those of the compiler in `rust-toolchain.toml`. They quote nothing of the standard library, so that they do
//! not depend on its source being installed. After a change that means to alter them: `TRYBUILD=overwrite cargo test -p ui-tests`, and read what became of them.

use std::fs;
use std::io::{Write, stderr};
use std::path::Path;

/// The cases in `folder`, each of which must begin with two comment lines: what would go wrong, and what stops it.
fn cases(folder: &str) -> usize {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut cases = 0;
    for file in fs::read_dir(&folder).expect("the folder is there") {
        let path = file.expect("it can be listed").path();
        if path.extension().is_some_and(|it| it == "rs") {
            let text = fs::read_to_string(&path).expect("it can be read");
            assert!(
                text.lines().take(2).all(|line| line.starts_with("// ")),
                "{}: the first two lines say what would go wrong, and what stops it",
                path.display()
            );
            cases += 1;
        } else {
            let text = fs::read_to_string(&path).expect("it can be read");
            assert!(
                !text.contains("$RUST/"),
                "{}: quotes the standard library, which is not there without `rust-src`",
                path.display()
            );
        }
    }
    cases
}

#[test]
fn compile_fail_and_compile_pass() {
    let (fail, pass) = (cases("fail"), cases("pass"));
    let tests = trybuild::TestCases::new();
    tests.compile_fail("fail/*.rs");
    tests.pass("pass/*.rs");
    // It runs them when it is dropped, and panics if one fails.
    drop(tests);
    writeln!(
        stderr(),
        "{fail} compile-fail and {pass} compile-pass cases hold"
    )
    .expect("stderr can be written");
}
