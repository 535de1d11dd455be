//! Row B30: an invalidation is that of the entry; and values that are held back longer.

use lazy_mmu_testing::prelude::*;

/// Each way in which one entry is taken away: what it executes.
fn ways(old: u64, level: u8) -> [String; 4] {
    let slot = AtomicU64::new(old);
    let slots = std::slice::from_ref(&slot);
    let taken = |way: &dyn Fn()| {
        slot.put(old);
        way();
        trace()
    };
    [
        taken(&|| {
            with::<Sim, _>(|mmu| mmu.unmap(&slot, entry_at(level, 0)).invalidate(mmu));
        }),
        taken(&|| with::<Sim, _>(|mmu| mmu.unmap_range(slots, entry_at(level, 0)).invalidate(mmu))),
        taken(&|| {
            with::<Sim, _>(|mmu| drop(mmu.unmap_range_into(slots, entry_at(level, 0), [0])));
        }),
        taken(&|| {
            with::<Sim, _>(|mmu| {
                mmu.break_before_make(&slot, entry_at(level, 0), |_| Leaf::INVALID)
            });
        })
        // The new entry.
        .replace("dRdIS)", "dRdI)"),
    ]
}

#[test]
fn b30_a_block_costs_one_instruction_and_a_table_all_levels() {
    for level in [1, 2] {
        assert_eq!(
            ways(BLOCK, level),
            ["(SDTdRdI)"; 4],
            "a block at level {level}"
        );
    }
    assert_eq!(
        ways(KERNEL.0, 3),
        ["(SDTdRdI)"; 4],
        "a page, whose bit 1 is not a table's"
    );
    let all_levels = format!("(SD{}dRdI)", "t".repeat(512));
    assert_eq!(ways(LINK.0, 2), [(); 4].map(|()| all_levels.clone()));
    // More pages below it than instructions are executed one by one.
    assert_eq!(ways(LINK.0, 1), ["(SDAdRdI)"; 4]);
    // By its name, whatever the entry was.
    let slot = AtomicU64::new(0);
    with::<Sim, _>(|mmu| mmu.unmap_table(&slot, entry_at(2, 0)).invalidate(mmu));
    assert_eq!(trace(), all_levels);
}

#[test]
fn b30_one_table_among_blocks_is_found() {
    let entries = [BLOCK, LINK.0, BLOCK].map(AtomicU64::new);
    let range = Granule::Kib4.range(BASE, 3 * 512).unwrap();
    with::<Sim, _>(|mmu| mmu.unmap_range(&entries, range).invalidate(mmu));
    assert_eq!(trace(), "(SSSDAdRdI)", "1536 pages are too many one by one");
    let entries = [BLOCK; 3].map(AtomicU64::new);
    with::<Sim, _>(|mmu| mmu.unmap_range(&entries, range).invalidate(mmu));
    assert_eq!(trace(), "(SSSDTTTdRdI)");
}

#[test]
fn b30_what_is_joined_is_invalidated_by_the_smaller_entry() {
    let [block, page] = [BLOCK, KERNEL.0].map(AtomicU64::new);
    let behind = Granule::Kib4.range(BASE + (2 << 20), 1).unwrap();
    with::<Sim, _>(|mmu| {
        let block = mmu.unmap(&block, entry_at(2, 0));
        let page = mmu.unmap(&page, behind);
        block.and(page).invalidate(mmu);
    });
    assert_eq!(trace(), "(SSDAdRdI)", "513 pages");
    // Nothing adds nothing.
    let block = AtomicU64::new(BLOCK);
    with::<Sim, _>(|mmu| {
        let none = || Granule::Kib4.range(BASE, 0).unwrap();
        let before = mmu.unmap_range(&[], none());
        let block = mmu.unmap(&block, entry_at(2, 0));
        let behind = mmu.unmap_range(&[], none());
        before.and(block).and(behind).invalidate(mmu);
    });
    assert_eq!(trace(), "(SDTdRdI)");
}

#[test]
fn what_is_mapped_is_changed_after_the_invalidation_only() {
    let [slot] = slots::<1>();
    let deferred = Cell::new(0);
    slot.put(LINK.0);
    with::<Sim, _>(|mmu| {
        let unmapped = mmu.unmap_table(&slot, entry_at(2, 0)).map(|old| {
            assert!(trace().ends_with("dRdI"), "it is invalidated");
            old + 1
        });
        assert_eq!(trace(), "(S");
        assert_eq!(unmapped.invalidate(mmu).get(), LINK.0 + 1);
    });
    trace();
    // Dropped, before the invalidation and behind it.
    for early in [true, false] {
        slot.put(LINK.0);
        with::<Sim, _>(|mmu| {
            let unmapped = mmu.unmap_table(&slot, entry_at(2, 0)).map(|old| {
                assert!(trace().ends_with("dRdI"), "it is invalidated");
                deferred.set(old);
            });
            if early {
                drop(unmapped);
            } else {
                drop(unmapped.invalidate(mmu));
            }
        });
        assert_eq!(deferred.take(), LINK.0);
    }
    // Forgotten, it is not changed.
    slot.put(LINK.0);
    with::<Sim, _>(|mmu| {
        std::mem::forget(
            mmu.unmap_table(&slot, entry_at(2, 0))
                .map(|old| deferred.set(old)),
        );
    });
    assert_eq!(deferred.take(), 0);
}

#[test]
fn b30_a_page_of_each_granule_costs_one_instruction() {
    use Granule::{Kib4, Kib16, Kib64};
    for granule in [Kib4, Kib16, Kib64] {
        let slot = AtomicU64::new(KERNEL.0);
        let page = granule.range(BASE, 1).unwrap();
        let old = aarch64::unmap::<Sim>(&slot, page).invalidate_now();
        assert_eq!((old, &*trace()), (KERNEL.0, "SDTdRdI"), "{granule:?}");
    }
}
