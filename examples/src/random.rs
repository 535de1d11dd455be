//! S18 on the CPU: the random programs of sections, and their interpreter.
//!
//! `cargo xtask` makes the programs. It computes their expected stores and barriers with the
//! reference model of `lazy-mmu-testing`. The kernels run each program, and compare.
//!
//! A program is a word with one letter for each operation:
//!
//! - `s`: a store that needs the barrier; `u`: a store that does not; `f`: a flush;
//! - `(`: a section by the handle, by `nest` in a section, or by a closure without either;
//! - `<`: the section of a callee that does not use the caller's section;
//! - `[`: a callee's section that joins the caller's;
//! - `|`: a pause.
//!
//! The letters `)`, `>`, `]` and `/` end them. Instead, `!` and `?` end a section and a pause whose
//! guard is forgotten.

use core::hint::black_box;
use core::mem::forget;
use core::ptr::with_exposed_provenance;
use core::slice::Iter;
use core::sync::atomic::AtomicU64;

use lazy_mmu::{Backend, LazyMmu, Nesting, Task, flush, join, paused, with, write};

use crate::format::Leaf;

/// The highest number of bytes of the programs.
const ROOM: usize = 0x0800_0000;

/// Returns the lines with the programs, which QEMU loads at `address`.
///
/// The first 64-bit word is their length in bytes. Each following line has a program, a space, and
/// its expected steps.
///
/// # Panics
///
/// Panics if the length is not possible, or if the bytes are not UTF-8.
///
/// # Safety
///
/// - QEMU has loaded the programs at `address`, which is mapped.
pub unsafe fn lines(address: usize) -> impl Iterator<Item = &'static str> {
    let length: *const u64 = with_exposed_provenance(address);
    // SAFETY: only QEMU has written to this memory, before the kernel runs.
    let length = unsafe { length.read() };
    let length = usize::try_from(length).expect("64 bits");
    assert!((1..=ROOM).contains(&length), "{length} bytes of programs");
    let text: *const u8 = with_exposed_provenance(address + size_of::<u64>());
    // SAFETY: as above.
    let text = unsafe { core::slice::from_raw_parts(text, length) };
    core::str::from_utf8(text)
        .expect("they are letters")
        .lines()
}

/// The entries for stores that need the barrier, and for those that do not.
#[derive(Clone, Copy, Debug)]
pub struct Entries {
    /// The entry of a kernel's page.
    pub kernel: &'static AtomicU64,
    /// The entry of a user's page.
    pub user: &'static AtomicU64,
    /// What a store to the kernel's entry stores.
    pub kernel_leaf: Leaf,
    /// What a store to the user's entry stores.
    pub user_leaf: Leaf,
}

/// Runs the program `ops` with the task's handle.
pub fn run<B: Backend>(entries: &Entries, task: &mut Task<B>, ops: &str) {
    let mut rest = black_box(ops).as_bytes().iter();
    inside(|| at_top(entries, task, &mut rest));
}

/// The continuation after an operation.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    /// Another operation.
    Next,
    /// The end of the open section or pause, or of the program.
    End,
    /// The end of the open section or pause, whose guard is forgotten.
    Forget,
}

/// Returns the end that a letter means, or the letter if it means an operation.
fn then(letter: Option<&u8>) -> Result<Then, u8> {
    match letter {
        None | Some(b')' | b'>' | b']' | b'/') => Ok(Then::End),
        Some(b'!' | b'?') => Ok(Then::Forget),
        Some(&letter) => Err(letter),
    }
}

/// Ends a guard.
fn end<G>(guard: G, how: Then) {
    if how == Then::Forget {
        forget(guard);
    } else {
        drop(guard);
    }
}

/// Runs the operations of an open section or pause by `one`, and returns how it ends.
fn inside(mut one: impl FnMut() -> Then) -> Then {
    loop {
        let then = one();
        if then != Then::Next {
            return then;
        }
    }
}

/// Runs an operation where the code has the task's handle.
fn at_top<B: Backend>(entries: &Entries, task: &mut Task<B>, rest: &mut Iter<'_, u8>) -> Then {
    match then(rest.next()) {
        Ok(then) => return then,
        Err(b'(') => {
            let mut section = task.enter();
            let how = inside(|| in_section(entries, &mut section, rest));
            end(section, how);
        }
        Err(b'|') => {
            paused::<B, _>(|| inside(|| at_top(entries, task, rest)));
        }
        Err(other) => without_section::<B>(entries, other, rest),
    }
    Then::Next
}

/// Runs an operation where the code has the guard of a section.
fn in_section<L: Nesting, B: Backend>(
    entries: &Entries,
    mmu: &mut LazyMmu<'_, L, B>,
    rest: &mut Iter<'_, u8>,
) -> Then {
    match then(rest.next()) {
        Ok(then) => return then,
        Err(b's') => mmu.write(entries.kernel, entries.kernel_leaf),
        Err(b'u') => mmu.write(entries.user, entries.user_leaf),
        Err(b'f') => {
            mmu.flush();
        }
        Err(b'(') => {
            let mut nested = mmu.nest();
            let how = inside(|| in_section(entries, &mut nested, rest));
            end(nested, how);
        }
        Err(b'|') => {
            mmu.paused(|| inside(|| nothing_in_hand::<B>(entries, rest)));
        }
        Err(other) => without_section::<B>(entries, other, rest),
    }
    Then::Next
}

fn nothing_in_hand<B: Backend>(entries: &Entries, rest: &mut Iter<'_, u8>) -> Then {
    match then(rest.next()) {
        Ok(then) => then,
        Err(letter) => {
            without_section::<B>(entries, letter, rest);
            Then::Next
        }
    }
}

/// Runs an operation where the code has neither a handle nor a guard.
fn without_section<B: Backend>(entries: &Entries, letter: u8, rest: &mut Iter<'_, u8>) {
    match letter {
        b's' => write::<B, _>(entries.kernel, entries.kernel_leaf),
        b'u' => write::<B, _>(entries.user, entries.user_leaf),
        b'f' => flush::<B>(),
        b'(' | b'<' => {
            with::<B, _>(|mmu| inside(|| in_section(entries, mmu, rest)));
        }
        b'[' => {
            join::<B, _>(|mmu| inside(|| in_section(entries, mmu, rest)));
        }
        b'|' => {
            paused::<B, _>(|| inside(|| nothing_in_hand::<B>(entries, rest)));
        }
        other => panic!("{} is not an operation", char::from(other)),
    }
}
