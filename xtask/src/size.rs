//! Measures the bytes of text that the crate adds to a kernel.
//!
//! Two programs contain the same memory manager. `size_eager` switches the mode off: a section
//! compiles to nothing, and a store to `str`, `dsb ishst`, `isb` (S25). `size_lazy` has the mode
//! on. The difference of their `.text` is the code that the crate adds to bare stores and barriers,
//! including inlined code.
//!
//! Seven functions of the memory manager are `#[inline(never)]`, so that both programs have the
//! same functions. Otherwise the inliner's choices change the difference by up to two kilobytes.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use object::{Object, ObjectSection};

/// The most bytes that the crate may add.
const LIMIT: u64 = 900;

/// Checks the program `size_lazy` at the path `lazy`, and `size_eager` in the same folder.
pub(crate) fn check(lazy: &Path) -> Result<()> {
    let (lazy, eager) = (text(lazy)?, text(&lazy.with_file_name("size_eager"))?);
    let added = lazy.checked_sub(eager).context(
        "`size_eager` is larger than `size_lazy`: the inliner's choices differ in the two programs",
    )?;
    println!("size: .text has {lazy} bytes with the mode, {eager} without it: {added} more");
    ensure!(
        added <= LIMIT,
        "the crate adds {added} bytes of text; the limit is {LIMIT}"
    );
    Ok(())
}

/// Returns the size of a program's `.text`, in bytes.
fn text(program: &Path) -> Result<u64> {
    let bytes = fs::read(program)?;
    let file = object::File::parse(&*bytes)?;
    let section = file
        .section_by_name(".text")
        .with_context(|| format!("{} does not have a section .text", program.display()))?;
    Ok(section.size())
}
