//! Rows S10 to S17, S21, S23 to S25: pauses.

use std::mem;

use lazy_mmu_testing::prelude::*;

for_both_storages! {
    fn s10_pause_at_any_depth_flushes_and_deactivates<B>() {
        fn at_depth<B: Backend>(depth: usize) {
            with::<B, _>(|mmu| {
                if depth > 1 {
                    return at_depth::<B>(depth - 1);
                }
                mmu.write(&slots::<1>()[0], KERNEL);
                trace();
                mmu.paused(|| {
                    assert_eq!(trace(), "DI|");
                    assert!(!is_active::<B>());
                    assert_eq!(bits::<B>(), Bits::ACTIVE.union(Bits::PAUSED));
                });
                trace();
            });
        }
        for depth in 1..=20 {
            at_depth::<B>(depth);
            trace();
        }
    }

    fn s11_resume_restores_the_section_at_its_depth<B>() {
        let [slot] = slots();
        let mut task = task::<B>();
        let mut outer = task.enter();
        let mut inner = outer.nest();
        inner.write(&slot, KERNEL);
        inner.paused(|| assert!(!is_active::<B>()));
        assert!(is_active::<B>());
        inner.write(&slot, KERNEL);
        inner.leave();
        assert!(is_active::<B>());
        outer.write(&slot, KERNEL);
        outer.leave();
        assert_eq!(trace(), "(<SDI|/SDI>SDI)");
    }

    fn s12_pause_outside_any_section_is_harmless<B>() {
        let [slot] = slots();
        paused::<B, _>(|| {
            assert!(!is_active::<B>());
            write::<B, _>(&slot, KERNEL);
            with::<B, _>(|mmu| mmu.write(&slot, KERNEL));
        });
        assert_eq!(trace(), "|SDI[SDI]/");
        assert_eq!(bits::<B>(), Bits::EMPTY);
        with::<B, _>(|_| assert!(is_active::<B>()));
    }

    fn s13_only_the_outermost_resume_reactivates<B>() {
        with::<B, _>(|mmu| {
            mmu.paused(|| {
                paused::<B, _>(|| {
                    with::<B, _>(|inert| {
                        inert.paused(|| assert!(!is_active::<B>()));
                        assert!(!is_active::<B>());
                    });
                    assert!(!is_active::<B>());
                });
                assert!(!is_active::<B>());
            });
            assert!(is_active::<B>());
        });
        assert_eq!(trace(), "(|-[-]/)");
    }

    fn s14_enter_and_leave_while_paused_are_inert<B>() {
        let mut handle = task::<B>();
        paused::<B, _>(|| {
            let before = bits::<B>();
            handle.enter().leave();
            with::<B, _>(|mmu| drop(mmu.nest()));
            let state = enter::<B>();
            assert_eq!(state.kind(), Kind::Inert);
            leave::<B>(state);
            assert_eq!(bits::<B>(), before);
        });
        assert_eq!(trace(), "|[][[]][]/");
    }

    fn s15_a_store_while_paused_is_followed_by_its_pair<B>() {
        let table = slots::<3>();
        with::<B, _>(|mmu| {
            mmu.paused(|| {
                write::<B, _>(&table[0], KERNEL);
                with::<B, _>(|inert| {
                    inert.write(&table[1], KERNEL);
                    inert.nest().write(&table[2], KERNEL);
                    inert.write_range(&table, |_| KERNEL);
                });
            });
        });
        assert_eq!(trace(), "(|SDI[SDI[SDI]SSSDI]/)");
    }

    fn s16_the_sequence_of_the_row<B>() {
        let [slot] = slots();
        let active = is_active::<B>;
        let mut task = task::<B>();
        let mut outer = task.enter();
        assert!(active());
        let mut inner = outer.nest();
        assert!(active());
        inner.write(&slot, KERNEL);
        inner.paused(|| {
            assert!(!active());
            assert!(trace().ends_with("DI|"), "flushed");
        });
        assert!(active());
        inner.write(&slot, KERNEL);
        inner.leave();
        assert!(active());
        assert!(trace().ends_with("DI>"), "flushed");
        outer.leave();
        assert!(!active());
    }

    fn s17_the_mode_query_at_every_step<B>() {
        let mut answers = Vec::new();
        let mut ask = || answers.push(is_active::<B>());
        let mut handle = task::<B>();
        ask();
        let mut section = handle.enter(); // enter
        ask();
        let inner = section.nest(); // (enter,
        ask();
        inner.leave(); // leave)
        ask();
        // pause
        section.paused(|| {
            ask();
            with::<B, _>(|_| ask()); // (enter,
            ask(); // leave,
            paused::<B, _>(&mut ask); // pause, resume)
            ask();
        }); // resume
        ask();
        section.leave(); // leave
        ask();
        assert_eq!(
            answers,
            [false, true, true, true, false, false, false, false, false, true, false]
        );
    }

    fn s23_a_panic_inside_a_pause_resumes<B>() {
        let [slot] = slots();
        with::<B, _>(|mmu| {
            assert!(unwinds(|| mmu.paused(|| panic!("provoked"))));
            assert!(is_active::<B>());
            assert!(unwinds(|| paused::<B, _>(|| with::<B, _>(|_| panic!("provoked")))));
            assert!(is_active::<B>());
            mmu.write(&slot, KERNEL);
        });
        assert_eq!(trace(), "(|/|[]/SDI)");
    }

    fn s24_the_idle_check_tells_which_bits_are_set<B>() {
        let [slot] = slots();
        let mut handle = task::<B>();
        assert_eq!(handle.check_idle(), Ok(()));
        with::<B, _>(|mmu| {
            let not_idle = |bits| assert_eq!(check_idle::<B>().unwrap_err().bits(), bits);
            not_idle(Bits::ACTIVE);
            mmu.write(&slot, KERNEL);
            not_idle(Bits::ACTIVE.union(Bits::PENDING));
            let text = "the thread is not idle: a section is open, a barrier pair is pending";
            assert_eq!(check_idle::<B>().unwrap_err().to_string(), text);
            mmu.paused(|| not_idle(Bits::ACTIVE.union(Bits::PAUSED)));
        });
        paused::<B, _>(|| {
            let text = "the thread is not idle: the mode is paused";
            assert_eq!(handle.check_idle().unwrap_err().to_string(), text);
        });
        // A forgotten guard of the handle is left first.
        let mut section = handle.enter();
        section.write(&slot, KERNEL);
        mem::forget(section);
        trace();
        assert_eq!(handle.check_idle(), Ok(()));
        assert_eq!(trace(), "DI)");
    }

    fn s24_s25_a_thread_of_the_eager_backend_is_always_idle<B>() {
        let mut handle = task::<Eager<B::Machine>>();
        assert_eq!(handle.check_idle(), Ok(()));
        with::<Eager<B::Machine>, _>(|mmu| {
            assert_eq!(handle.check_idle(), Ok(()));
            mmu.paused(|| assert_eq!(check_idle::<Eager<B::Machine>>(), Ok(())));
        });
        // The backend itself still tells of its own sections.
        with::<B, _>(|_| {
            assert_eq!(check_idle::<Eager<B::Machine>>(), Ok(()));
            assert_eq!(check_idle::<B>().unwrap_err().bits(), Bits::ACTIVE);
        });
        mem::forget(handle.enter());
        assert_eq!(handle.check_idle(), Ok(()));
    }

    fn p02_leave_sleep_and_enter_again<B>() {
        fn may_sleep<B: Backend>(task: &mut Task<B>) {
            assert_eq!(task.check_idle(), Ok(()));
        }
        let [slot] = slots();
        let mut task = task::<B>();
        for _ in 0..3 {
            let mut section = task.enter();
            section.write(&slot, KERNEL);
            section.leave();
            may_sleep(&mut task);
        }
        assert_eq!(trace(), "(SDI)(SDI)(SDI)");
    }
}

/// Walks `table` in a section of its own, which each callback receives.
fn walk<B: Backend>(
    table: &[AtomicU64],
    mut callback: impl FnMut(&mut LazyMmu<'_, Dynamic, B>, &AtomicU64),
) {
    with::<B, _>(|mmu| table.iter().for_each(|slot| callback(mmu, slot)));
}

for_both_storages! {
    fn p03_callbacks_that_get_the_section_and_that_pause_it<B>() {
        let table = slots::<3>();
        walk::<B>(&table, |mmu, slot| mmu.write(slot, KERNEL));
        assert_eq!(trace(), "(SSSDI)");
        walk::<B>(&table, |mmu, slot| {
            mmu.write(slot, KERNEL);
            mmu.paused(|| write::<B, _>(slot, KERNEL));
        });
        assert_eq!(trace(), "(SDI|SDI/SDI|SDI/SDI|SDI/)");
    }

    fn p05_a_callee_opens_its_own_section_while_the_callers_is_paused<B>() {
        let table = slots::<2>();
        walk::<B>(&table, |mmu, slot| {
            mmu.write(slot, KERNEL);
            mmu.paused(|| {
                with::<B, _>(|callee| {
                    callee.write(slot, KERNEL);
                    assert!(is_settled(slot), "and uses the mapping in it");
                });
            });
        });
        assert_eq!(trace(), "(SDI|[SDI]/SDI|[SDI]/)");
    }

    fn p06_two_tables_changed_in_one_section<B>() {
        let (one, two) = (slots::<2>(), slots::<2>());
        with::<B, _>(|mmu| {
            for (one, two) in one.iter().zip(&two) {
                mmu.write(one, KERNEL);
                mmu.write(two, KERNEL);
            }
        });
        assert_eq!(trace(), "(SSSSDI)");
    }

    fn p07_the_section_through_recursion_dyn_and_iterators<B>() {
        fn recursive<L: Nesting, B: Backend>(mmu: &mut LazyMmu<'_, L, B>, table: &[AtomicU64]) {
            if let [slot, rest @ ..] = table {
                mmu.write(slot, KERNEL);
                recursive(mmu, rest);
            }
        }
        fn by_dyn<L: Nesting, B: Backend>(
            mmu: &mut LazyMmu<'_, L, B>,
            f: &mut dyn FnMut(&mut LazyMmu<'_, L, B>),
        ) {
            f(mmu);
        }
        let table = slots::<3>();
        let mut task = task::<B>();
        let mut section = task.enter();
        recursive(&mut section, &table);
        by_dyn(&mut section, &mut |mmu| mmu.write(&table[0], KERNEL));
        table
            .iter()
            .scan(&mut section, |mmu, slot| {
                mmu.write(slot, KERNEL);
                Some(())
            })
            .for_each(drop);
        section.leave();
        assert_eq!(trace(), "(SSSSSSSDI)");
    }

    fn c06_a_handles_section_that_was_entered_in_a_pause_and_moved_out_of_it<B>() {
        let [slot] = slots();
        let mut handle = task::<B>();
        with::<B, _>(|outer| {
            let mut section = outer.paused(|| handle.enter());
            assert!(is_active::<B>());
            // It was inert, but defers by the bits: its leave flushes.
            section.write(&slot, KERNEL);
            assert!(!is_settled(&slot));
            drop(section);
            assert!(is_settled(&slot));
            assert_eq!(bits::<B>(), Bits::ACTIVE);
        });
        assert_eq!(trace(), "(|[/SDI>)");
    }

    fn s10_the_section_that_began_the_mode_is_left_inside_a_pause<B>() {
        let [slot] = slots();
        let mut handle = task::<B>();
        let section = handle.enter();
        paused::<B, _>(|| {
            drop(section);
            assert_eq!(bits::<B>(), Bits::PAUSED, "the pause goes on");
            with::<B, _>(|_| {
                write::<B, _>(&slot, KERNEL);
                assert!(is_settled(&slot));
            });
        });
    }

    fn s21_a_forgotten_guard_is_healed_inside_a_pause<B>() {
        let [slot] = slots();
        let mut handle = task::<B>();
        mem::forget(handle.enter());
        paused::<B, _>(|| {
            let mut section = handle.enter();
            section.write(&slot, KERNEL);
            assert!(is_settled(&slot), "the pause goes on");
        });
    }

    fn c06_what_the_leave_of_a_nested_inert_section_redeems_is_visible<B>() {
        let [slot] = slots();
        with::<B, _>(|task| {
            interrupt(|| {
                with::<B, _>(|inert| {
                    let mut one = task.nest();
                    let other = inert.nest();
                    let pending = one.write_pending(&slot, KERNEL, ());
                    assert!(!is_settled(&slot));
                    pending.get(&other.leave());
                    assert!(is_settled(&slot));
                });
            });
        });
        assert_eq!(trace(), "({[<[S]DIDI>]})");
    }

    fn s21_the_callers_section_emits_for_a_forgotten_one_that_was_entered_inside_it<B>() {
        let [slot] = slots();
        let mut handle = task::<B>();
        with::<B, _>(|outer| {
            outer.paused(|| mem::forget(handle.enter()));
            mem::forget(handle.enter());
            write::<B, _>(&slot, KERNEL);
            assert!(!is_settled(&slot));
            assert!(handle.check_idle().is_err(), "the outer one is open");
        });
        assert!(is_settled(&slot));
        trace();
    }
}
