//! Rows B14 to B16, B20, B21, B23 and B24: the writes that are not plain stores, and TLB
//! invalidation.

use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use lazy_mmu_testing::prelude::*;

/// A valid kernel leaf, writable and dirty by the hardware's bits.
const DIRTY: u64 = Leaf::page(0x4000_0000, KERNEL_DATA | DBM).0;
/// The software's dirty bit, as Linux has it.
const SOFTWARE_DIRTY: u64 = 1 << 55;

#[test]
fn b14_write_sync_is_never_deferred() {
    let [root, other] = slots::<2>();
    write_sync::<Sim, _>(&root, TopLevel::INVALID);
    assert_eq!(trace(), "SDI");
    with::<Sim, _>(|mmu| {
        mmu.write(&other, KERNEL);
        write_sync::<Sim, _>(&root, TopLevel::INVALID);
        assert!(is_settled(&root) && is_settled(&other));
        assert_eq!(bits::<Sim>(), Bits::ACTIVE);
        mmu.write(&other, KERNEL);
        mmu.write_sync(&root, TopLevel::INVALID);
        assert!(is_settled(&root) && is_settled(&other));
    });
    assert_eq!(trace(), "(SSDISSDI)", "the leave owes nothing");
}

#[test]
fn b14_in_an_interrupt_the_threads_pair_stays_pending() {
    let [root, other] = slots::<2>();
    with::<Sim, _>(|mmu| {
        mmu.write(&other, KERNEL);
        interrupt(|| write_sync::<Sim, _>(&root, TopLevel::INVALID));
        interrupt(|| {
            with::<Sim, _>(|inner| {
                inner.write_sync(&root, TopLevel::INVALID);
            });
        });
        assert_eq!(bits::<Sim>(), Bits::ACTIVE.union(Bits::PENDING));
    });
    assert_eq!(trace(), "(S{SDI}{[SDI]}DI)");
}

#[test]
fn b15_what_takes_away_needs_no_pair() {
    let [slot] = slots::<1>();
    with::<Sim, _>(|_| {
        slot.put(DIRTY);
        assert_eq!(update::test_and_clear_young::<Sim>(&slot), DIRTY);
        let old = update::test_and_clear_young::<Sim>(&slot);
        assert_eq!(old, DIRTY & !ACCESSED);

        slot.put(DIRTY);
        assert_eq!(update::set_wrprotect::<Sim>(&slot, SOFTWARE_DIRTY), DIRTY);
        let protected = (DIRTY | READ_ONLY | SOFTWARE_DIRTY) & !DBM;
        assert_eq!(slot.get(), protected);
        // Clean: the hardware may make it writable, and has not.
        slot.put(DIRTY | READ_ONLY);
        update::set_wrprotect::<Sim>(&slot, SOFTWARE_DIRTY);
        assert_eq!(slot.get(), (DIRTY | READ_ONLY) & !DBM);

        let old = update::get_and_clear::<Sim>(&slot);
        assert_eq!(old, (DIRTY | READ_ONLY) & !DBM);
        assert_eq!(slot.get(), 0);
        assert_eq!(bits::<Sim>(), Bits::ACTIVE, "nothing is pending");
    });
    assert_eq!(trace(), "(SSSSS)");
}

#[test]
fn b15_what_adds_goes_by_the_rule() {
    let [slot] = slots::<1>();
    let old = Leaf::page(0x4000_0000, KERNEL_READ_ONLY & !ACCESSED);
    slot.put(old.0);
    with::<Sim, _>(|mmu| {
        assert!(mmu.set_access_flags(&slot, Leaf(old.0 | ACCESSED), SOFTWARE_DIRTY));
        assert_eq!(slot.get(), old.0 | ACCESSED, "still read-only");
        // Nothing is taken.
        assert!(!mmu.set_access_flags(&slot, Leaf(old.0), SOFTWARE_DIRTY));
        assert!(mmu.set_access_flags(&slot, Leaf(DIRTY | SOFTWARE_DIRTY), SOFTWARE_DIRTY));
        assert_eq!(slot.get(), DIRTY | SOFTWARE_DIRTY);
    });
    // (One that changes nothing stores the same.)
    assert_eq!(trace(), "(SSSDI)");
    let flags = Leaf(1 << 56 | ACCESSED);
    assert!(update::set_access_flags::<Sim, _>(&slot, flags, 1 << 56));
    assert_eq!(trace(), "SDI", "without a section");

    let now = Leaf(slot.get());
    with::<Sim, _>(|mmu| {
        assert_eq!(mmu.compare_exchange(&slot, Leaf(7), KERNEL), Err(now.0));
        assert_eq!(bits::<Sim>(), Bits::ACTIVE);
        assert_eq!(mmu.compare_exchange(&slot, now, Leaf::INVALID), Ok(now.0));
        assert_eq!(bits::<Sim>(), Bits::ACTIVE);
        assert_eq!(mmu.compare_exchange(&slot, Leaf::INVALID, KERNEL), Ok(0));
        assert_eq!(bits::<Sim>(), Bits::ACTIVE.union(Bits::PENDING));
    });
    assert_eq!(trace(), "(SSDI)");
    let old = update::compare_exchange::<Sim, _>(&slot, KERNEL, KERNEL);
    assert_eq!(old, Ok(KERNEL.0));
    assert_eq!(trace(), "SDI");
}

#[test]
#[should_panic(expected = "the software bits must not overlap the type and the address")]
fn b15_the_type_of_an_entry_is_none_of_softwares_bits() {
    let block = AtomicU64::new(BLOCK);
    update::set_access_flags::<Sim, _>(&block, Leaf(TABLE_OR_PAGE), TABLE_OR_PAGE);
}

#[test]
fn b15_what_is_set_already_stays_set() {
    let [slot] = slots::<1>();
    // Dirty by the hardware's bits and by the software's too.
    slot.put(DIRTY | SOFTWARE_DIRTY);
    update::set_wrprotect::<Sim>(&slot, SOFTWARE_DIRTY);
    let protected = (DIRTY | READ_ONLY | SOFTWARE_DIRTY) & !DBM;
    assert_eq!(slot.get(), protected);

    let page = Leaf::page(0x4000_0000, KERNEL_DATA).0;
    slot.put(page);
    let wanted = Leaf(ACCESSED | DBM);
    assert!(update::set_access_flags::<Sim, _>(&slot, wanted, 0));
    let old = page | DBM;
    assert_eq!(slot.get(), old);
    // The software's bits may be among the hardware's.
    slot.put(page & !ACCESSED);
    assert!(update::set_access_flags::<Sim, _>(&slot, wanted, DBM));
    assert_eq!(slot.get(), old);
}

#[test]
fn b15_a_change_that_needs_no_pair_and_a_pair_without_a_change() {
    let [kernel, user] = slots::<2>();
    kernel.put(KERNEL.0 | ACCESSED);
    user.put(USERS.0);
    with::<Sim, _>(|mmu| {
        assert!(!mmu.set_access_flags(&kernel, Leaf(ACCESSED), 0));
        assert!(mmu.set_access_flags(&user, Leaf(DBM), 0));
        assert_eq!(bits::<Sim>(), Bits::ACTIVE, "nothing is pending");
    });
    let flags = Leaf(ACCESSED);
    assert!(!update::set_access_flags::<Sim, _>(&kernel, flags, 0));
    user.put(USERS.0);
    assert!(update::set_access_flags::<Sim, _>(&user, Leaf(DBM), 0));
    assert_eq!(trace(), "(SS)SS");
}

/// Threads that set the access flag and make the leaf dirty, as the hardware does, while this one
/// takes both away: what they set is seen once, none is lost.
#[test]
fn b15_hardware_updates_that_race_are_not_lost() {
    const ROUNDS: u64 = if cfg!(miri) { 50 } else { 20_000 };
    /// How long the slowest host may take to let all of them run.
    const PATIENCE: Duration = Duration::from_secs(10);
    /// Lets the walkers end, when an assertion fails too.
    struct Stop<'d>(&'d AtomicBool);
    impl Drop for Stop<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    let [slot] = slots::<1>();
    let clean = (DIRTY | READ_ONLY) & !ACCESSED;
    slot.put(clean);
    let done = AtomicBool::new(false);
    // What the walkers have set, and this thread has taken away.
    let counts = slots::<2>();
    let mut taken = [0; 2];
    let accessed = |old: u64| u64::from(old & ACCESSED != 0);
    let dirty = |old: u64| u64::from(old & (DBM | READ_ONLY) == DBM);
    std::thread::scope(|scope| {
        for (flag, set, seen) in [(ACCESSED, true, &counts[0]), (READ_ONLY, false, &counts[1])] {
            let (slot, done) = (&slot, &done);
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    // The hardware changes a valid entry only, and makes only one with DBM
                    // writable.
                    let changed = slot.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |old| {
                        let may = old & VALID != 0 && (set || old & DBM != 0);
                        let new = if set { old | flag } else { old & !flag };
                        (may && new != old).then_some(new)
                    });
                    seen.fetch_add(u64::from(changed.is_ok()), Ordering::Relaxed);
                    std::hint::spin_loop();
                }
            });
        }
        let _stop = Stop(&done);
        let start = Instant::now();
        let mut round = 0;
        // Until all have raced, however the host schedules them.
        while round < ROUNDS || taken.contains(&0) {
            round += 1;
            if round % 64 == 0 {
                std::thread::yield_now();
                take_trace();
                assert!(start.elapsed() < PATIENCE, "one is never seen: {taken:?}");
            }
            match round % 3 {
                0 => {
                    let old = update::get_and_clear::<Sim>(&slot);
                    taken = [taken[0] + accessed(old), taken[1] + dirty(old)];
                    write::<Sim, _>(&slot, Leaf(clean));
                }
                1 => taken[0] += accessed(update::test_and_clear_young::<Sim>(&slot)),
                _ => {
                    taken[1] += dirty(update::set_wrprotect::<Sim>(&slot, 0));
                    update::set_access_flags::<Sim, _>(&slot, Leaf(READ_ONLY | DBM), 0);
                }
            }
        }
    });
    // What is set still, and was not taken.
    taken = [
        taken[0] + accessed(slot.get()),
        taken[1] + dirty(slot.get()),
    ];
    assert_eq!(taken, counts.map(AtomicU64::into_inner));
}

#[test]
fn b16_write_nosync_has_no_synchronisation() {
    let [slot] = slots::<1>();
    // SAFETY: nothing walks it.
    unsafe { write_nosync::<Sim, _>(&slot, KERNEL) };
    with::<Sim, _>(|_| {
        // SAFETY: nothing walks it.
        unsafe { write_nosync::<Sim, _>(&slot, KERNEL) };
        assert_eq!(bits::<Sim>(), Bits::ACTIVE);
    });
    assert_eq!(trace(), "S(S)");
}

for_both_storages! {
    fn b20_invalidation_is_complete_on_its_own<B>() {
        with::<B, _>(|mmu| {
            mmu.flush_tlb_kernel_range(range(3));
            mmu.flush_tlb_kernel_pgtable(range(1));
            mmu.flush_tlb_all();
            flush_tlb_kernel_range::<B>(range(1));
            mmu.flush_tlb_kernel_range(range(513));
        });
        flush_tlb_kernel_pgtable::<B>(range(2));
        flush_tlb_all::<B>();
        assert_eq!(trace(), "(DTTTdRdIDtdRdIDAdRdIDTdRdIDAdRdI)DttdRdIDAdRdI");
    }
}

#[test]
fn b21_it_settles_what_is_pending() {
    let ways: [fn(); 4] = [
        || flush_tlb_kernel_range::<Sim>(range(1)),
        || flush_tlb_kernel_pgtable::<Sim>(range(1)),
        flush_tlb_all::<Sim>,
        || {
            with::<Sim, _>(|mmu| {
                mmu.flush_tlb_kernel_range(range(1));
            });
        },
    ];
    for invalidate in ways {
        let [slot] = slots::<1>();
        with::<Sim, _>(|mmu| {
            mmu.write(&slot, KERNEL);
            invalidate();
            assert!(is_settled(&slot));
            assert_eq!(bits::<Sim>(), Bits::ACTIVE);
        });
        let trace = trace();
        assert_eq!(trace.matches("DI").count(), 0, "no pair: {trace}");
        assert!(trace.starts_with("(S"), "{trace}");
    }
    // A proof comes of it.
    let [slot] = slots::<1>();
    with::<Sim, _>(|mmu| {
        let pending = mmu.write_pending(&slot, KERNEL, 7);
        let proof = mmu.flush_tlb_all();
        assert_eq!(pending.get(&proof), 7);
    });
    assert_eq!(trace(), "(SDAdRdI)");
}

#[test]
fn b21_in_an_interrupt_the_threads_pair_stays_pending() {
    let [slot] = slots::<1>();
    with::<Sim, _>(|mmu| {
        mmu.write(&slot, KERNEL);
        interrupt(|| {
            flush_tlb_all::<Sim>();
            with::<Sim, _>(|inner| {
                inner.flush_tlb_all();
            });
        });
        assert_eq!(bits::<Sim>(), Bits::ACTIVE.union(Bits::PENDING));
    });
    assert_eq!(trace(), "(S{DAdRdI[DAdRdI]}DI)");
}

#[test]
fn what_was_unmapped_is_had_back_after_its_invalidation() {
    /// A buffer whose drop is seen.
    struct Buffer([u64; 4]);
    impl AsMut<[u64]> for Buffer {
        fn as_mut(&mut self) -> &mut [u64] {
            &mut self.0
        }
    }
    impl Drop for Buffer {
        fn drop(&mut self) {
            execute(Event::Interrupt);
        }
    }

    let [one, two] = [DIRTY, DIRTY + 0x1000].map(AtomicU64::new);
    with::<Sim, _>(|mmu| {
        let first = mmu.unmap(&one, range(1));
        let second = mmu.unmap(&two, range_at(0x1000, 1));
        let both = first.and(second);
        assert_eq!(both.range(), range(2));
        assert_eq!(trace(), "(SS");
        assert_eq!(both.invalidate(mmu), (DIRTY, DIRTY + 0x1000));
        assert_eq!(trace(), "DTTdRdI");
    });
    assert_eq!(trace(), ")");

    // Dropped, it is invalidated before its value is dropped.
    let table = slots::<4>();
    table[2].put(DIRTY);
    let buffer = Buffer([1; 4]);
    with::<Sim, _>(|mmu| drop(mmu.unmap_range_into(&table, range(4), buffer)));
    assert_eq!(trace(), "(SSSSDTTTTdRdI{)");

    // Many at once, with their entries and without; and a table, whose walks are forgotten too.
    table[2].put(DIRTY);
    with::<Sim, _>(|mmu| {
        let entries = mmu.unmap_range_into(&table, range(4), [1; 4]);
        assert_eq!(entries.invalidate(mmu), [0, 0, DIRTY, 0]);
        mmu.unmap_range(&table, range(4)).invalidate_now();
    });
    assert_eq!(trace(), "(SSSSDTTTTdRdISSSSDTTTTdRdI)");
    with::<Sim, _>(|mmu| mmu.unmap_table(&one, range(512)).invalidate(mmu));
    assert_eq!(trace(), format!("(SD{}dRdI)", "t".repeat(512)));
    with::<Sim, _>(|mmu| {
        let leaf = mmu.unmap(&one, range(1));
        let table = mmu.unmap_table(&two, range(1));
        leaf.and(table).invalidate(mmu);
    });
    assert_eq!(trace(), "(SSDtdRdI)", "the wider of the two");
}

/// What is to be had back is not to be had before, though it be forgotten, or something panics.
#[test]
fn what_was_unmapped_and_forgotten_is_not_to_be_had() {
    let table = slots::<2>();
    with::<Sim, _>(|mmu| core::mem::forget(mmu.unmap_range_into(&table, range(2), [0; 2])));
    assert_eq!(trace(), "(SS)");
    assert!(unwinds(|| with::<Sim, ()>(|mmu| {
        let _unmapped = mmu.unmap_table(&table[0], range(1));
        panic!("provoked");
    })));
    assert_eq!(trace(), "(SDtdRdI)");
}

#[test]
fn a_panic_of_a_descriptor_loses_no_pair() {
    /// Panics when it is asked for its bits once more.
    #[derive(Clone, Copy)]
    struct Once<'c>(&'c Cell<u32>);
    impl Descriptor for Once<'_> {
        fn bits(self) -> u64 {
            self.0.set(self.0.get() - 1);
            KERNEL.0
        }
        fn needs_barrier(self) -> bool {
            true
        }
        fn points_to_table(self) -> bool {
            false
        }
    }
    let [slot] = slots::<1>();
    slot.put(KERNEL.0);
    // Each is asked once, of the current and of the new one.
    let asked = Cell::new(2);
    assert!(update::compare_exchange::<Sim, _>(&slot, Once(&asked), Once(&asked)).is_ok());
    assert_eq!((asked.get(), trace().as_str()), (0, "SDI"));
    let asked = Cell::new(2);
    let exchanged = with::<Sim, _>(|m| m.compare_exchange(&slot, Once(&asked), Once(&asked)));
    assert!(exchanged.is_ok());
    assert_eq!((asked.get(), trace().as_str()), (0, "(SDI)"));
}

/// In the EL2 regime the bit of AP[1] is set in every leaf: by the rule of EL1 it would be a
/// user's.
#[test]
fn the_regime_of_a_leaf_decides() {
    let [slot] = slots::<1>();
    let leaf = El2Leaf::page(0x4000_0000, EL2_DATA & !ACCESSED);
    slot.put(leaf.0);
    with::<Sim, _>(|mmu| assert!(mmu.set_access_flags(&slot, El2Leaf(ACCESSED), 0)));
    assert_eq!(trace(), "(SDI)");
    slot.put(leaf.0 & !VALID);
    with::<Sim, _>(|mmu| mmu.set_memory_valid(std::slice::from_ref(&slot), range(1), true));
    assert!(is_settled(&slot));
    assert_eq!(trace(), "(SDI)");
}

#[test]
fn invalid_entries_are_left_alone() {
    let [slot] = slots::<1>();
    // What software keeps in an invalid entry.
    let swap = 0x0123_4567_89ab_0c00;
    slot.put(swap);
    assert_eq!(update::set_wrprotect::<Sim>(&slot, SOFTWARE_DIRTY), swap);
    assert_eq!(update::test_and_clear_young::<Sim>(&slot), swap);
    let flags = Leaf(DIRTY);
    assert!(!update::set_access_flags::<Sim, _>(
        &slot,
        flags,
        SOFTWARE_DIRTY
    ));
    assert_eq!(slot.get(), swap);
    assert_eq!(trace(), "");
}

#[test]
fn an_eager_backend_invalidates_and_splits_as_the_other() {
    let [parent] = slots::<1>();
    let children = slots::<2>();
    with::<Eager<Sim>, _>(|mmu| {
        mmu.flush_tlb_kernel_range(range(2));
        mmu.unmap_table(&parent, range(1)).invalidate(mmu);
        parent.put(BLOCK);
        // SAFETY: nothing walks them.
        let old = unsafe { mmu.split_block(&parent, &children, LINK, |_, _| KERNEL) };
        assert_eq!(old, Ok(BLOCK));
        mmu.set_memory_valid(&children, range(2), true);
        mmu.write_sync(&parent, Table::INVALID);
    });
    assert_eq!(trace(), "[DTTdRdISDtdRdISSDSDISSDISDI]");
}

#[test]
fn break_before_make_is_in_order() {
    let [slot] = slots::<1>();
    slot.put(DIRTY);
    with::<Sim, _>(|mmu| {
        let old = mmu.break_before_make(&slot, range(1), |old| {
            assert_eq!(slot.get(), 0, "broken");
            assert_eq!(trace(), "(SDTdRdI");
            Leaf(old ^ 0x1000)
        });
        assert_eq!(old, DIRTY);
    });
    assert_eq!(trace(), "SDI)");
    assert_eq!(slot.get(), DIRTY ^ 0x1000);
}

#[test]
fn b23_a_block_is_split_children_first() {
    let parent = AtomicU64::new(BLOCK);
    let children = slots::<8>();
    with::<Sim, _>(|mmu| {
        let child = |block, i| {
            assert_eq!(block, BLOCK);
            page(i)
        };
        // SAFETY: nothing walks them.
        let old = unsafe { mmu.split_block(&parent, &children, LINK, child) };
        assert_eq!(old, Ok(BLOCK));
        assert_eq!(bits::<Sim>(), Bits::ACTIVE.union(Bits::PENDING));
        assert_eq!(trace(), "(SSSSSSSSDS");
    });
    assert_eq!(trace(), "DI)");
    assert_eq!(children[7].get(), KERNEL.0 + 0x7000);
}

#[test]
fn b24_valid_needs_the_pair_only_and_invalid_an_invalidation() {
    let table = slots::<3>();
    fill(&table, DIRTY & !VALID);
    with::<Sim, _>(|mmu| mmu.set_memory_valid(&table, range(3), true));
    assert_eq!(values(&table), [DIRTY; 3]);
    assert_eq!(trace(), "(SSSDI)");
    with::<Sim, _>(|mmu| mmu.set_memory_valid(&table, range(3), false));
    assert_eq!(values(&table), [DIRTY & !VALID; 3]);
    assert_eq!(trace(), "(SSSDTTTdRdI)");
}

#[test]
fn b24_what_is_observed_is_what_is_stored() {
    let [slot] = slots::<1>();
    let (valid, invalid) = (DIRTY, DIRTY & !VALID);
    // Valid to valid and invalid to invalid too.
    for (old, value) in [
        (valid, valid),
        (valid, invalid),
        (invalid, valid),
        (invalid, invalid),
    ] {
        slot.put(old);
        let slots = std::slice::from_ref(&slot);
        with::<Sim, _>(|mmu| mmu.set_memory_valid(slots, range(1), value == valid));
        assert_eq!(slot.get(), value);
        let slot = &raw const slot as usize;
        assert_eq!(take_trace()[1], Event::Store { slot, value });
    }
}

#[test]
#[should_panic(expected = "the range has 2 pages, but 3 entries were given")]
fn b24_a_range_of_another_length_is_refused() {
    with::<Sim, _>(|mmu| mmu.set_memory_valid(&slots::<3>(), range(2), true));
}

#[test]
#[should_panic(expected = "4 entries of one level cannot translate the 8 pages from")]
fn unmapping_other_entries_than_those_of_the_range_is_refused() {
    with::<Sim, _>(|mmu| mmu.unmap_range(&slots::<4>(), range(8)).invalidate(mmu));
}

#[test]
#[should_panic(
    expected = "1 entries of one level cannot translate the 512 pages from 0xffff800000001000 on"
)]
fn unmapping_a_range_that_no_entry_begins_at_is_refused() {
    let [slot] = slots::<1>();
    with::<Sim, _>(|mmu| {
        mmu.unmap_table(&slot, range_at(0x1000, 512))
            .invalidate(mmu)
    });
}

#[test]
#[should_panic(expected = "1 entries of one level cannot translate the 0 pages from")]
fn unmapping_an_empty_range_is_refused() {
    let [slot] = slots::<1>();
    with::<Sim, _>(|mmu| mmu.break_before_make(&slot, range(0), |_| KERNEL));
}

#[test]
fn unmapping_no_entries_is_invalidating_nothing() {
    with::<Sim, _>(|mmu| mmu.unmap_range(&[], range(0)).invalidate(mmu));
    assert_eq!(trace(), "(DdRdI)");
}

#[test]
#[should_panic(expected = "0 entries of one level cannot translate the 1 pages from")]
fn unmapping_no_entries_of_a_page_is_refused() {
    with::<Sim, _>(|mmu| mmu.unmap_range(&[], range(1)).invalidate(mmu));
}

#[test]
#[should_panic(expected = "the buffer has room for 1 of 2 entries")]
fn unmapping_into_a_buffer_that_is_too_short_is_refused() {
    with::<Sim, _>(|mmu| drop(mmu.unmap_range_into(&slots::<2>(), range(2), [0; 1])));
}

#[test]
fn b30_unmapped_ranges_of_two_page_sizes_invalidate_everything() {
    let [one, two] = slots::<2>();
    with::<Sim, _>(|mmu| {
        let other = Granule::Kib64.range(BASE, 1).unwrap();
        let one = mmu.unmap(&one, range(1));
        let two = mmu.unmap(&two, other);
        one.and(two).invalidate(mmu);
    });
    assert_eq!(trace(), "(SSDAdRdI)");
}
