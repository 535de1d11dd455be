//! How much text the crate adds to a kernel: two programs that differ in nothing but whether stores are deferred.
//!
//! `size_eager` has the memory manager with the mode switched off, where a section compiles to nothing and a store to `str`,
//! `dsb ishst`, `isb` (row S25); `size_lazy` has it with the mode on. So the difference of their `.text` is what the crate adds
//! to bare stores and barriers, everything inlined included. Seven functions of the memory manager
//! are `#[inline(never)]`, so that both programs have the same functions: else the inliner's choice
//! is measured, which is worth two kilobytes in either direction.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use object::{Object, ObjectSection};

/// The most bytes that it may add.
const LIMIT: u64 = 900;

/// `lazy` is the program `size_lazy`, and the other one stands beside it.
pub(crate) fn check(lazy: &Path) -> Result<()> {
    let (lazy, eager) = (text(lazy)?, text(&lazy.with_file_name("size_eager"))?);
    let added = lazy
        .checked_sub(eager)
        .context("the program without the mode is the larger one: the inliner has decided otherwise in one of them")?;
    println!("size: .text has {lazy} bytes with the mode, {eager} without it: {added} more");
    ensure!(
        added <= LIMIT,
        "the crate adds {added} bytes of text; the limit is {LIMIT}"
    );
    Ok(())
}

fn text(program: &Path) -> Result<u64> {
    let bytes = fs::read(program)?;
    let file = object::File::parse(&*bytes)?;
    let section = file
        .section_by_name(".text")
        .with_context(|| format!("no .text in {}", program.display()))?;
    Ok(section.size())
}
