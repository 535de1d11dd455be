//! Behaviours C: the effect of an interrupt on the task that it interrupts.

use lazy_mmu_testing::prelude::*;

/// An interrupt handler: it opens a section, stores with it and without it, nests and flushes.
fn handler<B: Backend>() {
    let [slot] = slots();
    with::<B, _>(|mmu| {
        assert!(!is_active::<B>());
        mmu.write(&slot, KERNEL);
        mmu.flush();
        let mut nested = mmu.nest();
        nested.write(&slot, KERNEL);
        drop(nested);
    });
    write::<B, _>(&slot, KERNEL);
    flush::<B>();
}
/// The trace of the handler: its sections are inert, and each store has its pair at once.
const HANDLER: &str = "{[SDI[SDI]]SDI}";

for_both_storages! {
    fn c01_enter_in_an_interrupt_is_inert<B>() {
        interrupt(|| {
            let state = enter::<B>();
            assert_eq!(state.kind(), Kind::Inert);
            assert_eq!(bits::<B>(), Bits::EMPTY);
            assert!(!is_active::<B>());
            leave::<B>(state);
        });
        assert_eq!(trace(), "{[]}");
    }

    fn c02_leave_of_an_inert_token_does_nothing<B>() {
        let [slot] = slots();
        with::<B, _>(|mmu| {
            mmu.write(&slot, KERNEL);
            let before = bits::<B>();
            interrupt(|| {
                let state = enter::<B>();
                leave::<B>(state);
            });
            assert_eq!(bits::<B>(), before, "the pair of the task stays pending");
        });
        assert_eq!(trace(), "(S{[]}DI)");
    }

    fn c03_a_store_in_an_interrupt_is_immediate_also_inside_a_section<B>() {
        interrupt(handler::<B>);
        assert_eq!(trace(), HANDLER);
        with::<B, _>(|_| interrupt(handler::<B>));
        assert_eq!(trace(), format!("({HANDLER})"));
    }

    fn c03_a_pending_store_of_the_task_does_not_swallow_the_interrupts_pair<B>() {
        let [slot] = slots();
        with::<B, _>(|mmu| {
            mmu.write(&slot, KERNEL);
            interrupt(handler::<B>);
        });
        assert_eq!(trace(), format!("(S{HANDLER}DI)"));
    }

    fn c04_an_interrupt_changes_no_bit_of_the_task<B>() {
        let [slot] = slots();
        interrupt(handler::<B>);
        assert_eq!(bits::<B>(), Bits::EMPTY);
        with::<B, _>(|mmu| {
            interrupt(handler::<B>);
            assert_eq!(bits::<B>(), Bits::ACTIVE);
            mmu.write(&slot, KERNEL);
            interrupt(|| interrupt(handler::<B>));
            assert_eq!(bits::<B>(), Bits::ACTIVE.union(Bits::PENDING));
        });
    }

    fn c06_the_token_decides_not_the_context<B>() {
        let [slot] = slots();
        // The task leaves its section in interrupt context, for example with softirqs disabled.
        let state = enter::<B>();
        write::<B, _>(&slot, KERNEL);
        interrupt(|| {
            leave::<B>(state);
        });
        assert_eq!(trace(), "(S{DI)}");
        assert_eq!(bits::<B>(), Bits::EMPTY, "the mode ends");

        // A section of the task flushes in interrupt context too, because the section decides.
        with::<B, _>(|mmu| {
            mmu.write(&slot, KERNEL);
            interrupt(|| mmu.flush());
        });
        assert_eq!(trace(), "(S{DI})");
    }

    fn c06_what_the_flush_of_a_nested_inert_section_redeems_is_visible<B>() {
        let [slot] = slots();
        with::<B, _>(|task| {
            // The task has disabled softirqs itself, and still has its section.
            interrupt(|| {
                with::<B, _>(|inert| {
                    // The compiler may give both borrows the same lifetime. Then both sections have
                    // the same identity.
                    let mut one = task.nest();
                    let mut other = inert.nest();
                    let pending = one.write_pending(&slot, KERNEL, ());
                    assert!(!is_settled(&slot), "the section decides, not the context");
                    let proof = other.flush();
                    pending.get(&proof);
                    assert!(is_settled(&slot), "`get` reads the bits, and emits the pair");
                });
            });
        });
        assert_eq!(trace(), "({[<[SDI]DI>]})");
    }
}

#[test]
fn c01_a_pause_in_an_interrupt_is_inert() {
    let [slot] = slots();
    with::<Sim, _>(|mmu| {
        mmu.write(&slot, KERNEL);
        let before = bits::<Sim>();
        interrupt(|| {
            paused::<Sim, _>(|| assert_eq!(bits::<Sim>(), before));
            with::<Sim, _>(|inert| inert.paused(handler::<Sim>));
        });
        assert_eq!(bits::<Sim>(), before);
    });
    let handler = HANDLER.trim_matches(['{', '}']);
    assert_eq!(trace(), format!("(S{{-[-{handler}]}}DI)"));
}
