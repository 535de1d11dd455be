//! Row K04: the hooks of the outermost section are balanced on every way out.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use lazy_mmu::sim::{self, Flags, Sim, interrupt};
use lazy_mmu::{Backend, LazyMmu, Level, Task, lazy_mmu, paused, with};

thread_local! {
    /// How deep preemption is disabled, as in a preempt count.
    static DISABLED: Cell<u32> = const { Cell::new(0) };
}

/// `Sim`, with preemption disabled while stores are deferred.
struct NoPreemption;

// SAFETY: everything is `Sim`'s but the hooks, which touch no bits.
unsafe impl Backend for NoPreemption {
    type Storage = Flags;

    fn current() -> Flags {
        Sim::current()
    }

    fn in_interrupt() -> bool {
        Sim::in_interrupt()
    }

    fn barrier() {
        Sim::barrier();
    }

    const HAS_HOOKS: bool = true;

    fn mode_begins() {
        DISABLED.set(DISABLED.get() + 1);
    }

    fn mode_ends() {
        DISABLED.set(DISABLED.get() - 1);
    }
}

fn disabled() -> u32 {
    DISABLED.get()
}

/// Preemption is disabled exactly while stores are deferred.
fn check() {
    assert_eq!(disabled(), u32::from(lazy_mmu::is_active::<NoPreemption>()));
}

#[test]
fn k04_outermost_only() {
    with::<NoPreemption, _>(|outer| {
        assert_eq!(disabled(), 1);
        let inner = outer.nest();
        assert_eq!(disabled(), 1);
        drop(inner);
        with::<NoPreemption, _>(|_| assert_eq!(disabled(), 1));
        interrupt(|| with::<NoPreemption, _>(|_| assert_eq!(disabled(), 1)));
        assert_eq!(disabled(), 1);
    });
    assert_eq!(disabled(), 0);
}

#[test]
fn k04_early_return_and_panic() {
    #[lazy_mmu(backend = NoPreemption)]
    fn early(out: bool) -> Option<u32> {
        assert_eq!(disabled(), 1);
        if out {
            return None;
        }
        assert!(!out, "not reached");
        Some(disabled())
    }
    assert_eq!((early(true), early(false)), (None, Some(1)));
    assert_eq!(disabled(), 0);
    let panics = || with::<NoPreemption, _>(|_| with::<NoPreemption, _>(|_| panic!("provoked")));
    assert!(catch_unwind(panics).is_err());
    assert_eq!(disabled(), 0);
    let panics = || with::<NoPreemption, _>(|mmu| mmu.paused(|| panic!("provoked")));
    assert!(catch_unwind(panics).is_err());
    assert_eq!(disabled(), 0);
}

#[test]
fn k04_pauses() {
    with::<NoPreemption, _>(|mmu| {
        let pause = mmu.pause();
        assert_eq!(disabled(), 0, "what is paused is left");
        paused::<NoPreemption, _>(|| assert_eq!(disabled(), 0));
        with::<NoPreemption, _>(|_| assert_eq!(disabled(), 0, "inert"));
        drop(pause);
        assert_eq!(disabled(), 1);
        paused::<NoPreemption, _>(|| assert_eq!(disabled(), 0));
        assert_eq!(disabled(), 1);
    });
    assert_eq!(disabled(), 0);
    paused::<NoPreemption, _>(|| with::<NoPreemption, _>(|_| assert_eq!(disabled(), 0)));
    assert_eq!(disabled(), 0);
}

#[test]
fn k04_forgotten_guards_and_pauses() {
    // SAFETY: the only handle of this thread.
    let mut task = unsafe { Task::<NoPreemption>::current() };
    core::mem::forget(task.enter());
    assert_eq!(disabled(), 1, "the mode is on until the handle is used");
    let mut section = task.enter();
    assert_eq!(disabled(), 1);
    core::mem::forget(section.pause());
    assert_eq!(disabled(), 0);
    drop(section);
    assert_eq!(disabled(), 0);
    let mut section = task.enter();
    core::mem::forget(section.pause());
    core::mem::forget(section);
    drop(task);
    assert_eq!(disabled(), 0);
    check();
}

/// Every program of up to six operations, each inside the one before or behind it.
#[test]
fn k04_every_short_program() {
    /// What the program does next: enter and leave at this depth, pause and resume.
    fn run<L: Level>(
        mmu: &mut LazyMmu<'_, L, NoPreemption>,
        program: &mut &[u8],
        count: &mut usize,
    ) {
        while let [operation, rest @ ..] = *program {
            *program = rest;
            *count += 1;
            check();
            match operation {
                0 => with::<NoPreemption, _>(|inner| run(inner, program, count)),
                1 => run_without_nesting(&mut mmu.nest(), program, count),
                2 => mmu.paused(|| with::<NoPreemption, _>(|inner| run(inner, program, count))),
                3 => paused::<NoPreemption, _>(|| {
                    with::<NoPreemption, _>(|inner| run(inner, program, count));
                }),
                4 => core::mem::forget(mmu.pause()),
                5 => {
                    let caught = catch_unwind(AssertUnwindSafe(|| {
                        // A panic without a message.
                        with::<NoPreemption, _>(|_| std::panic::resume_unwind(Box::new(())));
                    }));
                    assert!(caught.is_err());
                }
                6 => interrupt(|| {
                    with::<NoPreemption, _>(|_| lazy_mmu::note_store::<NoPreemption>());
                }),
                // Up.
                _ => return,
            }
            check();
        }
    }

    /// The levels below `nest` are a type each: so far and no further.
    fn run_without_nesting<L: Level>(
        mmu: &mut LazyMmu<'_, L, NoPreemption>,
        program: &mut &[u8],
        count: &mut usize,
    ) {
        if let [operation, rest @ ..] = *program {
            *program = rest;
            *count += 1;
            match operation {
                0 => with::<NoPreemption, _>(|inner| run(inner, program, count)),
                4 => core::mem::forget(mmu.pause()),
                _ => mmu.note_store(),
            }
        }
        check();
    }

    const LENGTH: u32 = if cfg!(miri) { 2 } else { 5 };
    let mut operations = 0;
    for number in 0..8_u32.pow(LENGTH) {
        let program: Vec<u8> = (0..LENGTH)
            .map(|at| (number >> (3 * at) & 7) as u8)
            .collect();
        with::<NoPreemption, _>(|mmu| run(mmu, &mut &program[..], &mut operations));
        check();
        assert_eq!(disabled(), 0, "{program:?}");
    }
    sim::take_trace();
    assert!(cfg!(miri) || operations > 80_000, "{operations}");
}
