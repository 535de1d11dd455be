//! Behaviour S27: a section joins the section that is open.

use lazy_mmu_testing::prelude::*;

/// A function that stores once, in a section that joins.
type Form = (&'static str, fn(&AtomicU64));

fn forms<B: Backend>() -> [Form; 3] {
    #[lazy_mmu(backend = B, join)]
    fn attributed<B: Backend>(slot: &AtomicU64) {
        write::<B, _>(slot, KERNEL);
    }
    #[lazy_mmu(backend = B, join, mmu)]
    fn attributed_with_mmu<B: Backend>(slot: &AtomicU64) {
        mmu.write(slot, KERNEL);
    }
    [
        ("closure", |slot| {
            join::<B, _>(|mmu| mmu.write(slot, KERNEL));
        }),
        ("attribute", attributed::<B>),
        ("attribute with mmu", attributed_with_mmu::<B>),
    ]
}

for_both_storages! {
    fn s27_inside_a_section_nothing_is_entered_and_the_end_emits_nothing<B>() {
        for (form, run) in forms::<B>() {
            let [slot] = slots();
            with::<B, _>(|_| {
                run(&slot);
                assert_eq!(trace(), "(S", "{form}");
                assert!(!is_settled(&slot) && is_pending::<B>(), "{form}: the store is deferred");
            });
            assert_eq!(trace(), "DI)", "{form}: the caller's leave emits");
            // The same inside the section of a guard.
            let mut task = task::<B>();
            let section = task.enter();
            run(&slot);
            assert_eq!(bits::<B>(), Bits::ACTIVE.union(Bits::OWNED).union(Bits::PENDING));
            section.leave();
            assert_eq!(trace(), "(SDI)", "{form}");
        }
    }

    fn s27_outside_a_section_it_opens_one_and_leaves_it<B>() {
        for (form, run) in forms::<B>() {
            let [slot] = slots();
            run(&slot);
            assert!(is_settled(&slot), "{form}");
            assert_eq!(trace(), "(SDI)", "{form}");
            assert_eq!(bits::<B>(), Bits::EMPTY, "{form}");
        }
        join::<B, _>(|_| assert_eq!(bits::<B>(), Bits::ACTIVE));
        assert_eq!(trace(), "()", "a section without a store");
    }

    fn s27_in_an_interrupt_and_while_paused_it_is_inert<B>() {
        for (form, run) in forms::<B>() {
            let [slot, of_thread] = slots();
            interrupt(|| run(&slot));
            assert_eq!(trace(), "{[SDI]}", "{form}");
            with::<B, _>(|mmu| {
                mmu.write(&of_thread, KERNEL);
                interrupt(|| run(&slot));
                assert!(is_pending::<B>(), "{form}: the pair of the thread stays pending");
                mmu.paused(|| run(&slot));
                paused::<B, _>(|| run(&slot));
            });
            assert_eq!(trace(), "(S{[SDI]}DI|[SDI]/|[SDI]/)", "{form}");
            paused::<B, _>(|| run(&slot));
            assert_eq!(trace(), "|[SDI]/", "{form}, outside");
        }
    }

    fn s27_joined_sections_join_each_other<B>() {
        let [slot] = slots();
        for (form, run) in forms::<B>() {
            let nested = || join::<B, _>(|one| {
                one.write(&slot, KERNEL);
                join::<B, _>(|two| {
                    run(&slot);
                    two.write(&slot, KERNEL);
                });
                one.write(&slot, KERNEL);
            });
            nested();
            assert_eq!(trace(), "(SSSSDI)", "{form}: the outermost opens the section");
            with::<B, _>(|_| nested());
            assert_eq!(trace(), "(SSSSDI)", "{form}: all of them join");
        }
    }

    fn s27_inside_a_nested_section_it_defers_to_that_ones_leave<B>() {
        for (form, run) in forms::<B>() {
            let [slot] = slots();
            with::<B, _>(|outer| {
                let nested = outer.nest();
                run(&slot);
                assert_eq!(trace(), "(<S", "{form}");
                nested.leave();
                assert!(is_settled(&slot));
                assert_eq!(trace(), "DI>", "{form}");
            });
            assert_eq!(trace(), ")");
            // The other way round: a section that is nested in a joined one flushes.
            with::<B, _>(|_| join::<B, _>(|mmu| {
                mmu.write(&slot, KERNEL);
                let mut nested = mmu.nest();
                nested.write(&slot, KERNEL);
                nested.leave();
                assert!(is_settled(&slot));
                mmu.write(&slot, KERNEL);
            }));
            assert_eq!(trace(), "(S<SDI>SDI)");
        }
    }

    fn s27_a_flush_or_a_pause_inside_covers_the_callers_stores<B>() {
        let [caller, own] = slots();
        with::<B, _>(|outer| {
            outer.write(&caller, KERNEL);
            join::<B, _>(|mmu| {
                let mapping = mmu.write_pending(&own, KERNEL, 7);
                let proof = mmu.flush();
                assert_eq!(mapping.get(&proof), 7);
                assert!(is_settled(&caller) && is_settled(&own));
                mmu.flush();
                mmu.write(&own, KERNEL);
                flush::<B>();
                mmu.write(&own, KERNEL);
                mmu.paused(|| assert!(is_settled(&own)));
            });
            assert!(!is_pending::<B>());
        });
        assert_eq!(trace(), "(SSDISDISDI|/)");
    }

    fn s27_the_section_that_it_has_joined_may_end_inside_it<B>() {
        let [early, late] = slots();
        let mut task = task::<B>();
        let guard = task.enter();
        join::<B, _>(|mmu| {
            mmu.write(&early, KERNEL);
            drop(guard);
            assert!(is_settled(&early));
            assert_eq!(bits::<B>(), Bits::EMPTY);
            // The joined section has ended, so the stores are immediate.
            mmu.write(&late, KERNEL);
            assert!(is_settled(&late));
            mmu.nest().write(&late, KERNEL);
            assert!(is_settled(&late));
        });
        assert_eq!(trace(), "(SDI)SDI<SDI>");

        // The stores are deferred into a section that begins inside.
        let guard = task.enter();
        join::<B, _>(|mmu| {
            drop(guard);
            with::<B, _>(|_| {
                mmu.write(&early, KERNEL);
                assert!(!is_settled(&early));
            });
            assert!(is_settled(&early));
        });
        assert_eq!(trace(), "()(SDI)");
    }

    fn s27_a_guard_that_a_joined_section_opens_may_outlive_it<B>() {
        let [slot] = slots();
        let mut task = task::<B>();
        with::<B, _>(|_| {
            let mut guard = join::<B, _>(|mmu| {
                mmu.write(&slot, KERNEL);
                task.enter()
            });
            assert!(!is_settled(&slot));
            guard.write(&slot, KERNEL);
            drop(guard);
            assert!(is_settled(&slot));
        });
        assert_eq!(trace(), "(S<SDI>)");
    }

    fn s27_a_loop_of_calls_under_one_section_gives_one_pair<B>() {
        let number = if cfg!(miri) { 8 } else { 512 };
        for (form, run) in forms::<B>() {
            let table = slots::<512>();
            let table = &table[..number];
            with::<B, _>(|_| table.iter().for_each(run));
            assert_eq!(trace(), format!("({}DI)", "S".repeat(number)), "{form}");
            table.iter().for_each(run);
            assert_eq!(trace(), "(SDI)".repeat(number), "{form}, without the section");
        }
    }

    fn s27_every_way_out_keeps_the_stores_for_the_caller<B>() {
        #[lazy_mmu(backend = B, join)]
        fn early<B: Backend>(slot: &AtomicU64, early: bool) -> u8 {
            write::<B, _>(slot, KERNEL);
            if early {
                return 1;
            }
            write::<B, _>(slot, KERNEL);
            2
        }
        #[lazy_mmu(backend = B, join, mmu)]
        fn fails<B: Backend>(slot: &AtomicU64, text: &str) -> Result<u8, std::num::ParseIntError> {
            mmu.write(slot, KERNEL);
            let number = text.parse()?;
            mmu.write(slot, KERNEL);
            Ok(number)
        }
        #[lazy_mmu(backend = B, join)]
        fn panics<B: Backend>(slot: &AtomicU64) {
            write::<B, _>(slot, KERNEL);
            panic!("provoked");
        }
        let [slot] = slots();
        let closure_fails = || join::<B, _>(|mmu| {
            mmu.write(&slot, KERNEL);
            Err::<(), _>("no frame")
        });
        let closure_panics = || join::<B, ()>(|mmu| {
            mmu.write(&slot, KERNEL);
            panic!("provoked");
        });
        let is_err = |f: &dyn Fn()| unwinds(f);
        let ways: [(&dyn Fn() -> bool, &str); 7] = [
            (&|| early::<B>(&slot, true) == 1, "S"),
            (&|| early::<B>(&slot, false) == 2, "SS"),
            (&|| fails::<B>(&slot, "x").is_err(), "S"),
            (&|| fails::<B>(&slot, "7") == Ok(7), "SS"),
            (&|| closure_fails() == Err("no frame"), "S"),
            (&|| is_err(&closure_panics), "S"),
            (&|| is_err(&|| panics::<B>(&slot)), "S"),
        ];
        for (number, (way, stores)) in ways.into_iter().enumerate() {
            assert!(way(), "way {number}");
            assert_eq!(trace(), format!("({stores}DI)"), "way {number}, outside");
            assert_eq!(bits::<B>(), Bits::EMPTY, "way {number}");
            with::<B, _>(|_| {
                assert!(way(), "way {number}");
                assert_eq!(trace(), format!("({stores}"), "way {number}, inside");
                assert!(is_pending::<B>());
            });
            assert_eq!(trace(), "DI)", "way {number}");
        }
    }

    fn s27_stores_that_need_no_pair_leave_nothing_pending<B>() {
        let [slot] = slots();
        with::<B, _>(|_| join::<B, _>(|mmu| mmu.write(&slot, USERS)));
        join::<B, _>(|mmu| mmu.write(&slot, USERS));
        assert_eq!(trace(), "(S)(S)");
    }
}

#[test]
fn s27_the_registered_and_the_eager_backend_join_too() {
    #[lazy_mmu(join)]
    fn registered(slot: &AtomicU64) {
        write::<Global, _>(slot, KERNEL);
    }
    let [slot] = slots();
    with::<Global, _>(|_| {
        registered(&slot);
        lazy_mmu::global::join(|mmu| mmu.write(&slot, KERNEL));
        join::<Sim, _>(|mmu| mmu.write(&slot, KERNEL));
    });
    registered(&slot);
    assert_eq!(trace(), "(SSSDI)(SDI)");
    let eager = |inside: &dyn Fn()| {
        join::<Eager<Sim>, _>(|mmu| {
            mmu.write(&slot, KERNEL);
            inside();
        });
    };
    eager(&|| eager(&|| ()));
    assert_eq!(trace(), "[SDI[SDI]]");
}

thread_local! {
    static CONTEXT_IS_INERT: Cell<bool> = const { Cell::new(false) };
    static ENTERED: Cell<usize> = const { Cell::new(0) };
}

/// `Sim`, with a switch for interrupt context. It counts the sections that are entered.
struct Counting;
type Softirqs = Changed<Counting>;

impl Change for Counting {
    type Inner = Sim;
    type Machine = Wrapped<Self>;

    fn in_interrupt() -> bool {
        CONTEXT_IS_INERT.get() || Sim::in_interrupt()
    }
}

// SAFETY: the machine is from `Sim`.
unsafe impl Wrapper for Counting {
    type Inner = Sim;

    fn observe(event: lazy_mmu::Event) {
        if let lazy_mmu::Event::Enter(_) = event {
            ENTERED.set(ENTERED.get() + 1);
        }
        Sim::observe(event);
    }
}

/// The context at the beginning of a section decides, not the context at a store.
#[test]
fn s27_what_a_joined_section_found_decides() {
    let [slot] = slots();
    with::<Softirqs, _>(|_| {
        join::<Softirqs, _>(|mmu| {
            CONTEXT_IS_INERT.set(true);
            mmu.write(&slot, KERNEL);
            assert!(
                !is_settled(&slot),
                "the store is deferred into the section that was joined"
            );
            // A section that begins in interrupt context does not join.
            join::<Softirqs, _>(|inert| {
                inert.write(&slot, KERNEL);
                assert!(is_settled(&slot));
            });
            mmu.write(&slot, KERNEL);
        });
        CONTEXT_IS_INERT.set(false);
        assert_eq!(ENTERED.get(), 2, "the caller's section and the inert one");
    });
    assert_eq!(trace(), "(S[SDI]SDI)");
}
