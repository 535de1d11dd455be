//! Row B28, at run time: what a proof redeems is visible.

use lazy_mmu_testing::prelude::*;

for_both_storages! {
    fn b28_several_flushes_and_several_redemptions<B>() {
        let table = slots::<4>();
        with::<B, _>(|mmu| {
            let one = mmu.write_pending(&table[0], KERNEL, 1);
            let two = mmu.write_pending(&table[1], KERNEL, 2);
            assert!(!is_settled(&table[1]));
            let proof = mmu.flush();
            assert_eq!(one.get(&proof) + two.get(&proof), 3);
            assert!(is_settled(&table[0]) && is_settled(&table[1]));

            let three = mmu.write_pending(&table[2], KERNEL, 3);
            mmu.write_range(&table[3..], |_| KERNEL);
            let four = mmu.pending(4);
            let proof = mmu.flush();
            assert_eq!(three.get(&proof) + four.get(&proof), 7);
        });
        assert_eq!(trace(), "(SSDISSDI)");
    }

    fn b28_leave_is_a_proof_at_every_level<B>() {
        let [slot] = slots();
        let mut task = task::<B>();
        let mut outer = task.enter();
        let mut nested = outer.nest();
        let inner = nested.write_pending(&slot, KERNEL, "inner");
        let proof = nested.leave();
        assert!(is_settled(&slot));
        assert_eq!(inner.get(&proof), "inner");
        let of_outer = outer.write_pending(&slot, KERNEL, "outer");
        let proof = outer.leave();
        assert_eq!(of_outer.get(&proof), "outer");
        assert_eq!(trace(), "(<SDI>SDI)");
    }

    fn b28_an_inert_sections_proof_is_true<B>() {
        let [slot] = slots();
        interrupt(|| {
            with::<B, _>(|mmu| {
                let pending = mmu.write_pending(&slot, KERNEL, ());
                assert!(is_settled(&slot));
                pending.get(&mmu.flush());
            });
        });
        assert_eq!(trace(), "{[SDI]}");
    }

    fn b28_a_function_returns_its_mapping_visible<B>() {
        let [slot] = slots();
        let mapped = visible::<B, _>(|mmu| mmu.write_pending(&slot, KERNEL, 7));
        assert_eq!(mapped, 7);
        assert!(is_settled(&slot));
        // Inside a section of the caller too.
        with::<B, _>(|_| {
            visible::<B, _>(|mmu| mmu.write_pending(&slot, KERNEL, ()));
            assert!(is_settled(&slot));
        });
        assert_eq!(trace(), "(SDI)(<SDI>)");

        let failed: Result<(), &str> = try_visible::<B, (), _>(|mmu| {
            mmu.write(&slot, KERNEL);
            Err("no frame")
        });
        assert_eq!(failed, Err("no frame"));
        assert_eq!(trace(), "(SDI)", "left on an error too");
        let done: Result<u8, ()> = try_visible::<B, _, _>(|mmu| Ok(mmu.write_pending(&slot, USERS, 1)));
        assert_eq!(done, Ok(1));
    }
}
