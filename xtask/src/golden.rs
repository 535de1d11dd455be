//! Files with expected outputs: what the kernels print, and the golden assembly.
//!
//! `expect-test` compares files too, but it panics, and one program's difference is an error here
//! that the other programs' threads outlive.

use std::env;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, ensure};

/// Whether the files are written. The variable of `expect-test` says so too.
static BLESS: AtomicBool = AtomicBool::new(false);

/// Lets [`compare`] write the files.
pub(crate) fn bless() {
    BLESS.store(true, Ordering::Relaxed);
}

/// Compares `text` with `file`, a path in the workspace, or writes it.
pub(crate) fn compare(file: &str, text: &str) -> Result<()> {
    let path = crate::workspace()?.join(file);
    if BLESS.load(Ordering::Relaxed) || env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(path, text)?;
        println!("{file} is written: read the difference");
        return Ok(());
    }
    let expected = fs::read_to_string(path).with_context(|| format!("cannot read {file}"))?;
    same(file, &expected, text)
}

/// An error that shows the first line in which `text` differs from `expected`, the content of
/// `file`.
pub(crate) fn same(file: &str, expected: &str, text: &str) -> Result<()> {
    let (mut should, mut is) = (expected.lines(), text.lines());
    for number in 1.. {
        let lines = (should.next(), is.next());
        ensure!(
            lines.0 == lines.1,
            "{file}:{number}: expected\n  {}\nprinted\n  {}\n\
             If that is meant: `cargo xtask qemu --bless`, and read the difference.",
            lines.0.unwrap_or("(the end)"),
            lines.1.unwrap_or("(the end)"),
        );
        if lines == (None, None) {
            break;
        }
    }
    ensure!(text == expected, "{file}: the last line ends otherwise");
    Ok(())
}
