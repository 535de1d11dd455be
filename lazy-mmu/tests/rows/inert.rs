//! Row S28: an inert section whose cause ends inside it.

use lazy_mmu_testing::prelude::*;

std::thread_local! {
    static SOFTIRQS_DISABLED: Cell<bool> = const { Cell::new(false) };
}

/// A kernel in which disabled softirqs count as an interrupt. A task enables them where it likes.
struct DisabledSoftirqs;
type Softirqs = Changed<DisabledSoftirqs>;

impl Change for DisabledSoftirqs {
    type Inner = Sim;
    type Machine = Sim;

    fn in_interrupt() -> bool {
        SOFTIRQS_DISABLED.get() || Sim::in_interrupt()
    }
}

/// Enables softirqs inside an inert section, and stores: the store is deferred into the section
/// further up.
fn enable_and_store(slot: &AtomicU64) {
    SOFTIRQS_DISABLED.set(false);
    write::<Softirqs, _>(slot, KERNEL);
    assert!(!is_settled(slot), "deferred");
}

#[lazy_mmu(backend = Softirqs)]
fn attributed(slot: &AtomicU64) {
    enable_and_store(slot);
}

#[lazy_mmu(backend = Softirqs, join)]
fn attributed_joining(slot: &AtomicU64) {
    enable_and_store(slot);
}

/// A form of a section, and its use around a store to the entry.
type Form = (&'static str, fn(&AtomicU64));

/// Each form of a section that is inert because softirqs are disabled, and in which they are
/// enabled.
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

/// Runs the form, which enables softirqs, in a section in which they are disabled.
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

/// Its flush, its pause and its invalidation see to everybody's stores too; its own stores are
/// immediate still.
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
            // The nested sections of both may have the same brand. Flush and leave are true proofs.
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

/// While the cause lasts, what is pending may be the interrupted thread's.
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

/// The handle's section is never in an interrupt, whatever the context says at its end.
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
            assert!(!is_settled(&slot), "the token decides");
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

/// A pause that is inert because softirqs are disabled, and in which they are enabled.
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
            // SAFETY: resumed below.
            let state = unsafe { raw::pause::<Softirqs>() };
            enable_and_store(slot);
            // SAFETY: the matching resume.
            unsafe { raw::resume::<Softirqs>(state) };
        }),
    ];
    for form in forms {
        settles_inside_a_section(form);
    }
}
