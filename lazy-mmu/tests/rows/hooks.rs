//! Behaviour K04: the calls of the hooks are balanced on every way out.

use lazy_mmu_testing::prelude::*;

thread_local! {
    /// How often preemption is disabled, as in a preempt count.
    static DISABLED: Cell<u32> = const { Cell::new(0) };
}

/// `Sim` with hooks that disable preemption while stores are deferred.
struct Hooks;
type NoPreemption = Changed<Hooks>;

impl Change for Hooks {
    type Inner = Sim;
    type Machine = Sim;

    const HAS_HOOKS: bool = true;

    fn mode_begins() {
        DISABLED.set(DISABLED.get() + 1);
    }

    fn mode_ends() {
        // The pair has been emitted before. The subtraction panics if the calls are not balanced.
        assert!(!is_pending::<Sim>());
        DISABLED.set(DISABLED.get() - 1);
    }
}

fn disabled() -> u32 {
    DISABLED.get()
}

/// Checks that preemption is disabled exactly while stores are deferred.
fn check() {
    assert_eq!(disabled(), u32::from(is_active::<NoPreemption>()));
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
        assert!(!out, "the function has returned early");
        Some(disabled())
    }
    assert_eq!((early(true), early(false)), (None, Some(1)));
    assert_eq!(disabled(), 0);
    let panics = || with::<NoPreemption, _>(|_| with::<NoPreemption, _>(|_| panic!("provoked")));
    assert!(unwinds(panics));
    assert_eq!(disabled(), 0);
    let panics = || with::<NoPreemption, _>(|mmu| mmu.paused(|| panic!("provoked")));
    assert!(unwinds(panics));
    assert_eq!(disabled(), 0);
}

#[test]
fn k04_pauses() {
    with::<NoPreemption, _>(|mmu| {
        mmu.paused(|| {
            assert_eq!(disabled(), 0, "a pause ends the mode");
            paused::<NoPreemption, _>(|| assert_eq!(disabled(), 0));
            with::<NoPreemption, _>(|_| assert_eq!(disabled(), 0, "an inert section"));
        });
        assert_eq!(disabled(), 1);
        paused::<NoPreemption, _>(|| assert_eq!(disabled(), 0));
        assert_eq!(disabled(), 1);
    });
    assert_eq!(disabled(), 0);
    paused::<NoPreemption, _>(|| with::<NoPreemption, _>(|_| assert_eq!(disabled(), 0)));
    assert_eq!(disabled(), 0);
}

/// If the outermost section is left inside another code's pause, the mode has ended already.
#[test]
fn k04_left_inside_a_pause() {
    let mut task = task::<NoPreemption>();
    let section = task.enter();
    paused::<NoPreemption, _>(|| {
        assert_eq!(disabled(), 0);
        drop(section);
        assert_eq!(disabled(), 0);
    });
    assert_eq!(disabled(), 0, "a section is not open");
}

/// Synchronous exceptions occur where the mode begins and ends. The sections and pauses of their
/// handlers nest there.
#[test]
fn k04_exceptions_where_the_mode_changes() {
    thread_local! {
        /// The handler of the exception that occurs at the next change of a bit.
        static HANDLER: Cell<Option<fn()>> = const { Cell::new(None) };
        /// The number of calls of `mode_begins` without their `mode_ends`.
        static DEPTH: Cell<u32> = const { Cell::new(0) };
    }

    /// `Sim`, with an exception after a change of the bits.
    struct Exceptions;
    type Faulting = Changed<Exceptions>;

    impl Change for Exceptions {
        type Inner = Sim;
        type Machine = Sim;

        const HAS_HOOKS: bool = true;

        fn mode_begins() {
            DEPTH.set(DEPTH.get() + 1);
        }

        fn mode_ends() {
            DEPTH.set(DEPTH.get().checked_sub(1).expect("the mode has begun"));
        }

        fn change(change: impl FnOnce()) {
            change();
            if let Some(handler) = HANDLER.take() {
                handler();
            }
        }
    }

    let handlers: [fn(); 2] = [
        || paused::<Faulting, _>(|| ()),
        || with::<Faulting, _>(|_| note_store::<Faulting>()),
    ];
    for handler in handlers {
        // The exception occurs at each change of a bit in turn.
        for at in 0..6 {
            let mut changes = 0;
            let mut next = || {
                if changes == at {
                    HANDLER.set(Some(handler));
                }
                changes += 1;
            };
            next();
            with::<Faulting, _>(|mmu| {
                next();
                mmu.note_store();
                next();
                mmu.paused(&mut next);
                next();
                assert_eq!(DEPTH.get(), 1);
            });
            next();
            HANDLER.set(None);
            assert_eq!(DEPTH.get(), 0, "at {at}");
        }
    }
}

#[test]
fn k04_forgotten_guards_and_pauses() {
    let mut task = task::<NoPreemption>();
    core::mem::forget(task.enter());
    assert_eq!(disabled(), 1, "the mode is on until the handle is used");
    let mut section = task.enter();
    assert_eq!(disabled(), 1);
    section.paused(|| ());
    drop(section);
    assert_eq!(disabled(), 0);
    let mut section = task.enter();
    section.paused(|| ());
    core::mem::forget(section);
    drop(task);
    assert_eq!(disabled(), 0);
    check();
}

/// Runs every program of five operations. An operation is inside the previous one, or after it.
#[test]
fn k04_every_short_program() {
    /// Runs the next operations of the program, up to the end of the present scope.
    fn run(mmu: &mut LazyMmu<'_, Dynamic, NoPreemption>, program: &mut &[u8], count: &mut usize) {
        while let [operation, rest @ ..] = *program {
            *program = rest;
            *count += 1;
            check();
            match operation {
                0 => with::<NoPreemption, _>(|inner| run(inner, program, count)),
                1 => run(&mut mmu.nest().erase(), program, count),
                2 => mmu.paused(|| with::<NoPreemption, _>(|inner| run(inner, program, count))),
                3 => paused::<NoPreemption, _>(|| {
                    with::<NoPreemption, _>(|inner| run(inner, program, count));
                }),
                4 => mmu.paused(|| ()),
                5 => {
                    // A panic without a message.
                    let panic = || std::panic::resume_unwind(Box::new(()));
                    assert!(unwinds(|| with::<NoPreemption, _>(|_| panic())));
                }
                6 => interrupt(|| {
                    with::<NoPreemption, _>(|_| note_store::<NoPreemption>());
                }),
                // The present scope ends.
                _ => return,
            }
            check();
        }
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
    take_trace();
    assert!(cfg!(miri) || operations > 80_000, "{operations}");
}

/// Behaviour C15: backends that share bits have the same hooks. The test also shows the effect of a
/// backend without hooks.
#[test]
fn c15_backends_that_share_bits_have_the_same_hooks() {
    /// Another backend with the bits and the hooks of `NoPreemption`.
    struct Same;
    type Twin = Changed<Same>;

    impl Change for Same {
        type Inner = NoPreemption;
        type Machine = Sim;
    }

    with::<NoPreemption, _>(|_| {
        with::<Twin, _>(|mmu| mmu.paused(check));
        paused::<Twin, _>(check);
        check();
    });
    with::<Twin, _>(|_| paused::<NoPreemption, _>(check));
    check();

    // `Sim` has the same bits, but not the hooks. Preemption therefore stays disabled in its pause.
    with::<NoPreemption, _>(|_| {
        paused::<Sim, _>(|| {
            assert!(!is_active::<NoPreemption>());
            assert_eq!(disabled(), 1);
        });
    });
    assert_eq!(disabled(), 0);
}
