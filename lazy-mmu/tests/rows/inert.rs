//! Behaviour S28: the cause of an inert section ends inside the section.

use lazy_mmu_testing::prelude::*;

std::thread_local! {
    static SOFTIRQS_DISABLED: Cell<bool> = const { Cell::new(false) };
}

/// A kernel in which `in_interrupt` is true while softirqs are disabled. A task may enable softirqs
/// anywhere.
struct DisabledSoftirqs;
type Softirqs = Changed<DisabledSoftirqs>;

impl Change for DisabledSoftirqs {
    type Inner = Sim;
    type Machine = Sim;

    fn in_interrupt() -> bool {
        SOFTIRQS_DISABLED.get() || Sim::in_interrupt()
    }
}

/// Enables softirqs inside an inert section, and stores. The store is deferred into an outer
/// section.
fn enable_and_store(slot: &AtomicU64) {
    SOFTIRQS_DISABLED.set(false);
    write::<Softirqs, _>(slot, KERNEL);
    assert!(!is_settled(slot), "the store is deferred");
}

#[lazy_mmu(backend = Softirqs)]
fn attributed(slot: &AtomicU64) {
    enable_and_store(slot);
}

#[lazy_mmu(backend = Softirqs, join)]
fn attributed_joining(slot: &AtomicU64) {
    enable_and_store(slot);
}

/// The name of a form of section, and a function that stores to the entry in such a section.
type Form = (&'static str, fn(&AtomicU64));

/// The forms of a section that is inert because softirqs are disabled. Each enables them inside.
const FORMS: [Form; 9] = [
    ("closure", |slot| {
        with::<Softirqs, _>(|_| enable_and_store(slot));
    }),
    ("attribute", attributed),
    ("closure that joins", |slot| {
        join::<Softirqs, _>(|_| enable_and_store(slot));
    }),
    ("attribute with join", attributed_joining),
    ("nested, dropped", |slot| {
        with::<Softirqs, _>(|inert| {
            let nested = inert.nest();
            enable_and_store(slot);
            drop(nested);
            assert!(is_settled(slot));
        });
    }),
    ("nested, left", |slot| {
        with::<Softirqs, _>(|inert| {
            let nested = inert.nest();
            enable_and_store(slot);
            nested.leave();
            assert!(is_settled(slot));
        });
    }),
    ("try_visible with an error", |slot| {
        let result: Result<(), u8> = try_visible::<Softirqs, _, _>(|_| {
            enable_and_store(slot);
            Err(7)
        });
        assert_eq!(result, Err(7));
    }),
    ("a panic", |slot| {
        let panics = || {
            with::<Softirqs, ()>(|_| {
                enable_and_store(slot);
                panic!("provoked");
            });
        };
        assert!(unwinds(panics));
    }),
    ("bare token", |slot| {
        let state = enter::<Softirqs>();
        enable_and_store(slot);
        leave::<Softirqs>(state);
    }),
];

/// Runs the form, which enables softirqs, in an outer section that has disabled them.
fn settles_inside_a_section((form, run): Form) {
    let [slot] = slots();
    with::<Softirqs, _>(|_| {
        SOFTIRQS_DISABLED.set(true);
        run(&slot);
        assert!(is_settled(&slot), "{form}");
        assert_eq!(bits::<Sim>(), Bits::ACTIVE, "{form}");
    });
}

#[test]
fn s28_an_inert_section_whose_interrupt_ends_settles_when_it_is_left() {
    for form in FORMS {
        settles_inside_a_section(form);
        assert_eq!(trace().matches("DI").count(), 1, "{}: one pair", form.0);
    }
}

/// After the interrupt context has ended, the flush, the pause and the invalidation of an inert
/// section cover all stores of the thread. Stores through the section stay immediate.
#[test]
fn c06_an_inert_section_whose_interrupt_has_ended() {
    let [slot] = slots();
    let deferred = || {
        write::<Softirqs, _>(&slot, KERNEL);
        assert!(!is_settled(&slot));
    };
    with::<Softirqs, _>(|middle| {
        SOFTIRQS_DISABLED.set(true);
        with::<Softirqs, _>(|inert| {
            SOFTIRQS_DISABLED.set(false);
            inert.write(&slot, KERNEL);
            assert!(is_settled(&slot));
            deferred();
            inert.flush();
            assert!(is_settled(&slot));
            deferred();
            inert.flush_tlb_all();
            assert!(is_settled(&slot));
            deferred();
            inert.paused(|| {
                assert!(is_settled(&slot));
                write::<Softirqs, _>(&slot, KERNEL);
                assert!(is_settled(&slot));
            });
            // The nested sections of both may have the same identity. The proofs of flush and leave
            // are true for both.
            let mut one = middle.nest();
            let mut other = inert.nest();
            let pending = one.write_pending(&slot, KERNEL, ());
            assert!(!is_settled(&slot));
            pending.get(&other.flush());
            assert!(is_settled(&slot));
            drop((one, other));
            let mut one = middle.nest();
            let other = inert.nest();
            let pending = one.write_pending(&slot, KERNEL, ());
            pending.get(&other.leave());
            assert!(is_settled(&slot));
        });
        assert_eq!(bits::<Sim>(), Bits::ACTIVE);
    });
}

/// While the interrupt lasts, a pending pair may belong to the interrupted thread.
#[test]
fn s28_an_inert_section_whose_cause_lasts_settles_nothing() {
    let [slot] = slots();
    with::<Sim, _>(|mmu| {
        mmu.write(&slot, KERNEL);
        interrupt(|| with::<Sim, _>(|inert| drop(inert.nest())));
        assert!(!is_settled(&slot));
    });
    assert_eq!(trace(), "(S{[[]]}DI)");
}

/// The section of a handle flushes at its end, even if the context is then an interrupt context.
#[test]
fn s28_a_handles_section_from_a_pause_settles_with_softirqs_disabled() {
    let leaves: [fn(LazyMmu<'_, Outer, Softirqs>); 2] = [|it| _ = it.leave(), |it| drop(it)];
    for leave in leaves {
        let [slot] = slots();
        with::<Softirqs, _>(|outer| {
            let mut task = task::<Softirqs>();
            let mut section = outer.paused(|| task.enter());
            SOFTIRQS_DISABLED.set(true);
            section.write(&slot, KERNEL);
            assert!(!is_settled(&slot), "the section decides, not the context");
            leave(section);
            drop(task);
            assert!(is_settled(&slot));
            SOFTIRQS_DISABLED.set(false);
        });
    }
}

#[lazy_mmu(backend = Softirqs, paused)]
fn paused_attributed(slot: &AtomicU64) {
    enable_and_store(slot);
}

/// The pauses are inert because softirqs are disabled. Each enables them inside.
#[test]
fn s28_an_inert_pause_whose_interrupt_ends_settles_when_it_ends() {
    let forms: [Form; 4] = [
        ("closure", |slot| {
            paused::<Softirqs, _>(|| enable_and_store(slot));
        }),
        ("attribute", paused_attributed),
        ("of an inert section", |slot| {
            with::<Softirqs, _>(|inert| {
                inert.paused(|| enable_and_store(slot));
                assert!(is_settled(slot));
            });
        }),
        ("bare token", |slot| {
            // SAFETY: the same thread resumes the mode below.
            let state = unsafe { raw::pause::<Softirqs>() };
            enable_and_store(slot);
            // SAFETY: the token comes from the matching pause.
            unsafe { raw::resume::<Softirqs>(state) };
        }),
    ];
    for form in forms {
        settles_inside_a_section(form);
    }
}
