//! Behaviours S: the state machine, through the tokens of `raw`, the guards and the closures.

use std::cell::RefCell;
use std::sync::mpsc::{Sender, channel};
use std::{mem, thread};

use lazy_mmu_testing::prelude::*;

const DEFERRED: Bits = Bits::ACTIVE.union(Bits::PENDING);

/// Runs a program with the tokens of `raw`. `(` enters, `)` leaves, `s` stores a kernel page, and
/// `u` a user page. Returns the trace and the bits, and then leaves the open sections.
fn after<B: Backend>(program: &str) -> (String, Bits) {
    let [slot] = slots();
    let mut states: Vec<State> = Vec::new();
    for operation in program.chars() {
        match operation {
            '(' => {
                let outermost = states.is_empty();
                states.push(enter::<B>());
                let expected = if outermost {
                    Kind::Outermost
                } else {
                    Kind::Nested
                };
                assert_eq!(states.last().map(State::kind), Some(expected));
            }
            ')' => leave::<B>(states.pop().expect("a section is open")),
            's' => write::<B, _>(&slot, KERNEL),
            _ => write::<B, _>(&slot, USERS),
        }
        assert_eq!(is_active::<B>(), !states.is_empty(), "{program}");
    }
    let after = (trace(), bits::<B>());
    while let Some(state) = states.pop() {
        leave::<B>(state);
    }
    trace();
    after
}

for_both_storages! {
    fn s01_a_fresh_thread_is_inactive<B>() {
        assert!(!is_active::<B>());
        assert_eq!(bits::<B>(), Bits::EMPTY);
        // A flush emits nothing, because a pair is not pending.
        flush::<B>();
        assert_eq!(trace(), "");
    }

    fn s02_the_first_enter_is_outer_and_activates<B>() {
        assert_eq!(after::<B>("("), ("(".to_owned(), Bits::ACTIVE));
        assert_eq!(after::<B>("()"), ("()".to_owned(), Bits::EMPTY));
    }

    fn s03_enter_inside_a_section_is_nested<B>() {
        // Entering does not emit a barrier.
        assert_eq!(after::<B>("(s("), ("(S<".to_owned(), DEFERRED));
    }

    fn s04_nested_leave_flushes_once_and_stays_active<B>() {
        assert_eq!(after::<B>("((ss)"), ("(<SSDI>".to_owned(), Bits::ACTIVE));
    }

    fn s05_nested_leave_with_nothing_pending_emits_nothing<B>() {
        assert_eq!(after::<B>("(()"), ("(<>".to_owned(), Bits::ACTIVE));
    }

    fn s06_outer_leave_flushes_once_and_ends_the_mode<B>() {
        assert_eq!(after::<B>("(ss)"), ("(SSDI)".to_owned(), Bits::EMPTY));
    }

    fn s07_outer_leave_with_nothing_pending_emits_nothing<B>() {
        assert_eq!(after::<B>("(u)"), ("(S)".to_owned(), Bits::EMPTY));
    }

    fn s08_a_thousand_levels<B>() {
        let [slot] = slots();
        let mut states = Vec::new();
        for level in 0..1000 {
            let state = enter::<B>();
            assert_eq!(state.kind(), if level == 0 { Kind::Outermost } else { Kind::Nested });
            states.push(state);
        }
        trace();
        while let Some(state) = states.pop() {
            assert!(is_active::<B>());
            write::<B, _>(&slot, KERNEL);
            leave::<B>(state);
            assert_eq!(trace(), if states.is_empty() { "SDI)" } else { "SDI>" });
        }
        assert!(!is_active::<B>());
    }
}

#[test]
fn s08_a_thousand_levels_of_guards() {
    fn deeper(levels: usize) {
        if levels == 0 {
            return write::<Sim, _>(&slots::<1>()[0], KERNEL);
        }
        with::<Sim, _>(|mmu| {
            let _nested = mmu.nest();
            deeper(levels - 1);
            assert!(is_active::<Sim>());
        });
    }
    deeper(500);
    assert!(!is_active::<Sim>());
    assert_eq!(trace().matches("DI").count(), 1);
}

for_both_storages! {
    fn s09_stores_after_a_nested_leave_are_pending_again<B>() {
        assert_eq!(after::<B>("((s)s"), ("(<SDI>S".to_owned(), DEFERRED));
        assert_eq!(after::<B>("((s)s)"), ("(<SDI>SDI)".to_owned(), Bits::EMPTY));
    }

    fn s02_to_s09_with_guards<B>() {
        let [slot] = slots();
        let mut task = task::<B>();
        let mut outer = task.enter();
        outer.write(&slot, KERNEL);
        let mut inner = outer.nest();
        let innermost = inner.nest();
        innermost.leave();
        inner.write(&slot, KERNEL);
        drop(inner);
        assert!(is_active::<B>());
        outer.write(&slot, KERNEL);
        drop(outer);
        assert!(!is_active::<B>());
        assert_eq!(trace(), "(S<<DI>SDI>SDI)");

        with::<B, _>(|outer| {
            outer.write(&slot, KERNEL);
            with::<B, _>(|inner| inner.write(&slot, KERNEL));
            outer.nest().write(&slot, KERNEL);
            outer.write(&slot, KERNEL);
        });
        assert_eq!(trace(), "(S<SDI><SDI>SDI)");
    }
}

#[test]
fn s19_the_pair_first_then_the_mode_is_cleared() {
    thread_local!(static AT_BARRIER: Cell<Option<Bits>> = const { Cell::new(None) });

    /// Records the bits at the time of the barrier.
    struct Looking;

    // SAFETY: the barrier is from `Sim`.
    unsafe impl Wrapper for Looking {
        type Inner = Sim;
        fn barrier() {
            AT_BARRIER.set(Some(bits::<Sim>()));
            Sim::barrier();
        }
    }

    let [slot] = slots();
    with::<Wrapped<Looking>, _>(|mmu| {
        let mut nested = mmu.nest();
        nested.write(&slot, KERNEL);
        nested.leave();
        // The mode continues, and a later leave emits the pair of the next store.
        assert_eq!(AT_BARRIER.take(), Some(Bits::ACTIVE));
        mmu.write(&slot, KERNEL);
    });
    // ACTIVE is still set during the barrier. Both bits are cleared together after it.
    assert_eq!(AT_BARRIER.take(), Some(DEFERRED));
    assert_eq!(bits::<Sim>(), Bits::EMPTY);
}

for_both_storages! {
    fn s20_a_forgotten_nested_guard_loses_nothing<B>() {
        let [slot] = slots();
        let mut task = task::<B>();
        let mut outer = task.enter();
        let mut nested = outer.nest();
        nested.write(&slot, KERNEL);
        mem::forget(nested);
        assert_eq!(trace(), "(<S");
        outer.leave();
        assert_eq!(trace(), "DI)");
        assert_eq!(bits::<B>(), Bits::EMPTY);

        with::<B, _>(|mmu| {
            let mut nested = mmu.nest();
            nested.write(&slot, KERNEL);
            mem::forget(nested);
        });
        assert_eq!(trace(), "(<SDI)");
    }

    fn s21_a_forgotten_outermost_guard_is_healed<B>() {
        let [slot] = slots();
        let mut handle = task::<B>();
        let mut section = handle.enter();
        section.write(&slot, KERNEL);
        mem::forget(section);
        assert!(is_active::<B>(), "the mode is still on");
        // The next use of the handle emits the pair, and opens an outermost section again.
        handle.enter().leave();
        assert_eq!(trace(), "(SDI)()");
        assert!(!is_active::<B>());

        // While other code has paused the mode, the handle leaves the forgotten section. The new
        // section is inert.
        mem::forget(handle.enter());
        paused::<B, _>(|| {
            handle.enter().leave();
            assert_eq!(bits::<B>(), Bits::PAUSED);
        });
        assert_eq!(trace(), "(|)[]/");

        let mut section = handle.enter();
        section.write(&slot, KERNEL);
        mem::forget(section);
        drop(handle);
        assert_eq!(trace(), "(SDI)");
    }

    fn s21_a_forgotten_guard_below_another_section_is_healed<B>() {
        let [slot] = slots();
        let mut handle = task::<B>();
        // The forgotten section did not begin the mode. The section that began it has ended before
        // the handle is used again.
        with::<B, _>(|_| mem::forget(handle.enter()));
        assert_eq!(bits::<B>(), Bits::EMPTY);
        let mut section = handle.enter();
        section.write(&slot, KERNEL);
        section.leave();
        assert_eq!(trace(), "(<)(SDI)");
        paused::<B, _>(|| mem::forget(handle.enter()));
        handle.enter().leave();
        assert_eq!(trace(), "|[/()");
        // The section that began the mode is still open when the handle is used again.
        with::<B, _>(|_| {
            mem::forget(handle.enter());
            handle.enter().write(&slot, KERNEL);
        });
        assert_eq!(trace(), "(<<SDI>)");
        assert_eq!(handle.check_idle(), Ok(()));
    }

    fn s23_a_panic_inside_a_section_leaves_it<B>() {
        let table = slots::<4>();
        let panics = || with::<B, _>(|mmu| {
            mmu.nest().write_range(&table, |i| {
                assert!(i < 2, "provoked");
                KERNEL
            });
        });
        assert!(unwinds(panics));
        assert_eq!(trace(), "(<SSDI>)", "the stores before the panic have their pair");
    }

    fn s25_eager_has_the_same_api_and_defers_nothing<B>() {
        let [slot] = slots();
        let mut task = task::<Eager<B::Machine>>();
        let mut outer = task.enter();
        outer.write(&slot, KERNEL);
        assert!(!is_active::<Eager<B::Machine>>());
        assert!(!is_active::<B>());
        outer.write(&slot, USERS);
        let mut inner = outer.nest();
        inner.write(&slot, KERNEL);
        inner.flush();
        inner.leave();
        outer.leave();
        write::<Eager<B::Machine>, _>(&slot, KERNEL);
        let without_sections: String = trace().chars().filter(|it| "SDI".contains(*it)).collect();
        assert_eq!(without_sections, "SDISSDISDI");
        assert_eq!(bits::<B>(), Bits::EMPTY);

        // An interrupt does not change this.
        interrupt(|| assert!(!Eager::<B::Machine>::in_interrupt()));
        trace();

        // The storage does not have bits, so its size is 0.
        assert_eq!(size_of::<<Eager<B::Machine> as Backend>::Storage>(), 0);
    }
}

#[test]
fn s01_each_simulated_task_starts_fresh() {
    let state = enter::<Sim>();
    let other = spawn();
    switch_to(other);
    assert_eq!(bits::<Sim>(), Bits::EMPTY);
    assert!(!is_active::<Sim>());
    switch_to(TaskId::FIRST);
    assert!(is_active::<Sim>());
    leave::<Sim>(state);
}

#[test]
fn s24_the_mode_works_until_the_host_threads_very_end() {
    /// A value of a thread-local variable, whose destructor uses the mode.
    struct AtTheEnd(Sender<bool>);
    impl Drop for AtTheEnd {
        fn drop(&mut self) {
            // `take_trace` panics if the simulated machine of the thread is gone.
            let gone = unwinds(take_trace);
            let [slot] = slots();
            let uses_it = || {
                uses_the_mode::<Sim>(&slot);
                uses_the_mode::<SimOwnByte>(&slot);
                interrupt(|| assert!(Sim::in_interrupt()));
            };
            self.0.send(gone && !unwinds(uses_it)).unwrap();
        }
    }
    fn uses_the_mode<B: Backend>(slot: &AtomicU64) {
        let mut task = task::<B>();
        let mut section = task.enter();
        section.write(slot, KERNEL);
        assert_eq!(bits::<B>(), DEFERRED.union(Bits::OWNED));
        section.nest().paused(|| write::<B, _>(slot, KERNEL));
        assert_eq!(bits::<B>(), Bits::ACTIVE.union(Bits::OWNED));
        assert!(check_idle::<B>().is_err());
        section.leave();
        with::<B, _>(|mmu| mmu.write(slot, KERNEL));
        assert_eq!(task.check_idle(), Ok(()));
    }
    thread_local! {
        static BEFORE_THE_MACHINE: RefCell<Option<AtTheEnd>> = const { RefCell::new(None) };
        static AFTER_THE_MACHINE: RefCell<Option<AtTheEnd>> = const { RefCell::new(None) };
    }
    let (sender, results) = channel();
    thread::spawn(move || {
        BEFORE_THE_MACHINE.set(Some(AtTheEnd(sender.clone())));
        with::<Sim, _>(|_| ());
        AFTER_THE_MACHINE.set(Some(AtTheEnd(sender)));
    })
    .join()
    .unwrap();
    // The host chooses the order of the destructors.
    let mut results: Vec<bool> = results.iter().collect();
    results.sort_unstable();
    // Only one of them runs after the destructor of the simulated machine.
    assert_eq!(results, [false, true]);
}
