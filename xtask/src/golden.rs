//! Files with expected texts: the outputs of the kernels, the golden assembly, and the citations of
//! the behaviours.
//!
//! `expect-test` compares files too, but it panics at a difference. Here a difference is an error,
//! because the threads of the other programs must continue.

use std::env;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, ensure};

/// Whether to write the files. The environment variable of `expect-test` has the same effect.
static BLESS: AtomicBool = AtomicBool::new(false);

/// Makes [`compare`] write the files.
pub(crate) fn bless() {
    BLESS.store(true, Ordering::Relaxed);
}

/// Returns whether to write the files.
pub(crate) fn is_blessing() -> bool {
    BLESS.load(Ordering::Relaxed) || env::var_os("UPDATE_EXPECT").is_some()
}

/// Compares `text` with `file`, a path in the workspace, or writes the file.
pub(crate) fn compare(file: &str, text: &str) -> Result<()> {
    let path = crate::workspace()?.join(file);
    if is_blessing() {
        fs::write(path, text)?;
        println!("{file} is written: read the difference");
        return Ok(());
    }
    let expected = fs::read_to_string(path).with_context(|| format!("cannot read {file}"))?;
    same(file, &expected, text)
}

/// Compares `text` with `expected`, the content of `file`.
///
/// # Errors
///
/// The first line that differs.
pub(crate) fn same(file: &str, expected: &str, text: &str) -> Result<()> {
    let (mut should, mut is) = (expected.lines(), text.lines());
    for number in 1.. {
        let lines = (should.next(), is.next());
        ensure!(
            lines.0 == lines.1,
            "{file}:{number}: expected\n  {}\nprinted\n  {}\n\
             If this change is intended: run the command with `--bless`, and read the difference.",
            lines.0.unwrap_or("(the end)"),
            lines.1.unwrap_or("(the end)"),
        );
        if lines == (None, None) {
            break;
        }
    }
    ensure!(
        text == expected,
        "{file}: only one of the texts ends with a new line"
    );
    Ok(())
}
