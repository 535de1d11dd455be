//! S18 on the CPU: random programs of sections, with an interrupt before every instruction.
//!
//! `cargo xtask` makes the programs. It computes their expected stores and barriers with the
//! reference model of `lazy-mmu-testing`. QEMU loads both at `PROGRAMS`. This kernel runs each
//! program twice, single-stepped: without interrupts, and with one before every instruction. The
//! handler opens a section, maps a page, uses the mapping, and leaves. Both runs must make the
//! stores and barriers of the model.
//!
//! A program is a word with one letter for each operation:
//!
//! - `s`: a store that needs the pair; `u`: a store that does not; `f`: a flush;
//! - `(`: a section by the handle, by `nest` in a section, or by a closure without either;
//! - `<`: the section of a callee that does not use the caller's section;
//! - `[`: a callee's section that joins the caller's;
//! - `|`: a pause.
//!
//! The letters `)`, `>`, `]` and `/` end them. Instead, `!` and `?` end a section and a pause whose
//! guard is forgotten.

#![no_std]
#![no_main]

use core::hint::black_box;
use core::mem::forget;
use core::ptr::with_exposed_provenance;
use core::slice::Iter;
use core::sync::atomic::AtomicU64;

use lazy_mmu::aarch64::descriptor::{Leaf, USER};
use lazy_mmu::{
    Backend, Bits, LazyMmu, Nesting, Storage as _, Task, flush, join, paused, with, write,
};
use lazy_mmu_examples::Error;
use lazy_mmu_examples::trace::{Order, Step};
use lazy_mmu_qemu::arena::Arena;
use lazy_mmu_qemu::step::Injection;
use lazy_mmu_qemu::thread::{self, ByteMmu, Mmu};
use lazy_mmu_qemu::{interrupts, mapper, program, step};
use semihosting::println;

/// The address at which QEMU loads the programs.
///
/// The first 64-bit word is their length in bytes. Each following line has a program, a space, and
/// its expected steps: `S` for a store, `D` for `dsb ishst`, and `I` for `isb`.
const PROGRAMS: usize = 0x7000_0000;
/// The highest number of bytes.
const ROOM: usize = 0x0800_0000;

lazy_mmu_qemu::program!(run);

fn run() -> Result<(), Error> {
    let promised = program::number(1, 100);
    interrupts::init(1, || mapper::map_and_use::<Mmu>(true));
    for (storage, all) in [
        ("flags word", all::<Mmu> as fn() -> Result<_, _>),
        ("own byte", all::<ByteMmu>),
    ] {
        let (programs, interrupts) = all()?;
        assert_eq!(programs, promised, "the number of programs");
        println!(
            "S18 {storage}: {programs} random programs, {interrupts} interrupts, one before every \
             instruction: what the reference model does; none lost"
        );
    }
    Ok(())
}

fn lines() -> impl Iterator<Item = &'static str> {
    let length: *const u64 = with_exposed_provenance(PROGRAMS);
    // SAFETY: this is RAM in the identity map. Only QEMU has written to it, before the kernel runs.
    let length = unsafe { length.read() };
    let length = usize::try_from(length).expect("64 bits");
    assert!((1..=ROOM).contains(&length), "{length} bytes of programs");
    let text: *const u8 = with_exposed_provenance(PROGRAMS + size_of::<u64>());
    // SAFETY: as above.
    let text = unsafe { core::slice::from_raw_parts(text, length) };
    core::str::from_utf8(text)
        .expect("they are letters")
        .lines()
}

/// The entries for stores that need the pair, and for those that do not.
struct Env {
    kernel: &'static AtomicU64,
    user: &'static AtomicU64,
    leaf: Leaf,
}

/// Runs all programs, and returns their number and the number of interrupts.
fn all<B: Backend>() -> Result<(usize, usize), Error> {
    let (_mm, arena) = Arena::boot::<B>(3, 1, false)?;
    mapper::init(&arena, 2);
    let env = Env {
        kernel: &arena.slots[0],
        user: &arena.slots[1],
        leaf: arena.leaf(0),
    };
    let (mut programs, mut sum) = (0, 0);
    for line in lines() {
        let (ops, expected) = line.split_once(' ').expect("a program, and what it does");
        let instructions = check::<B>(&env, ops, expected, Injection::None);
        interrupts::taken();
        mapper::used();
        let disturbed = check::<B>(&env, ops, expected, Injection::InterruptEverywhere);
        let taken = interrupts::taken();
        assert_eq!((taken, disturbed), (instructions, instructions), "{ops}");
        assert_eq!(mapper::used(), taken);
        programs += 1;
        sum += taken;
    }
    Ok((programs, sum))
}

/// Runs a program with the task's handle, and compares its steps. Returns its instructions.
fn check<B: Backend>(env: &Env, ops: &str, expected: &str, injection: Injection) -> usize {
    step::inject_at(injection);
    step::start();
    {
        // SAFETY: this is the only handle of the thread, which drops it before the next.
        let mut task = unsafe { Task::<B>::current() };
        let mut rest = black_box(ops).as_bytes().iter();
        inside(|| at_top(env, &mut task, &mut rest));
    }
    let trace = step::stop();
    step::inject_at(Injection::None);
    let letters = trace.steps.iter().map(|step| match step {
        Step::Store => 'S',
        Step::DsbIshst => 'D',
        Step::Isb => 'I',
        _ => '?',
    });
    assert!(
        letters.eq(expected.chars()),
        "{ops}: the model does {expected}, but with {injection:?} the crate does {}",
        Order(trace.steps)
    );
    assert_eq!(B::current().load(), Bits::EMPTY, "{ops}");
    thread::check_clear();
    trace.instructions
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
fn at_top<B: Backend>(env: &Env, task: &mut Task<B>, rest: &mut Iter<'_, u8>) -> Then {
    match then(rest.next()) {
        Ok(then) => return then,
        Err(b'(') => {
            let mut section = task.enter();
            let how = inside(|| in_section(env, &mut section, rest));
            end(section, how);
        }
        Err(b'|') => {
            paused::<B, _>(|| inside(|| at_top(env, task, rest)));
        }
        Err(other) => without_section::<B>(env, other, rest),
    }
    Then::Next
}

/// Runs an operation where the code has the guard of a section.
fn in_section<L: Nesting, B: Backend>(
    env: &Env,
    mmu: &mut LazyMmu<'_, L, B>,
    rest: &mut Iter<'_, u8>,
) -> Then {
    match then(rest.next()) {
        Ok(then) => return then,
        Err(b's') => mmu.write(env.kernel, env.leaf),
        Err(b'u') => mmu.write(env.user, Leaf(env.leaf.0 | USER)),
        Err(b'f') => {
            mmu.flush();
        }
        Err(b'(') => {
            let mut nested = mmu.nest();
            let how = inside(|| in_section(env, &mut nested, rest));
            end(nested, how);
        }
        Err(b'|') => {
            mmu.paused(|| inside(|| nothing_in_hand::<B>(env, rest)));
        }
        Err(other) => without_section::<B>(env, other, rest),
    }
    Then::Next
}

fn nothing_in_hand<B: Backend>(env: &Env, rest: &mut Iter<'_, u8>) -> Then {
    match then(rest.next()) {
        Ok(then) => then,
        Err(letter) => {
            without_section::<B>(env, letter, rest);
            Then::Next
        }
    }
}

/// Runs an operation where the code has neither a handle nor a guard.
fn without_section<B: Backend>(env: &Env, letter: u8, rest: &mut Iter<'_, u8>) {
    match letter {
        b's' => write::<B, _>(env.kernel, env.leaf),
        b'u' => write::<B, _>(env.user, Leaf(env.leaf.0 | USER)),
        b'f' => flush::<B>(),
        b'(' | b'<' => {
            with::<B, _>(|mmu| inside(|| in_section(env, mmu, rest)));
        }
        b'[' => {
            join::<B, _>(|mmu| inside(|| in_section(env, mmu, rest)));
        }
        b'|' => {
            paused::<B, _>(|| inside(|| nothing_in_hand::<B>(env, rest)));
        }
        other => panic!("{} is not an operation", char::from(other)),
    }
}
