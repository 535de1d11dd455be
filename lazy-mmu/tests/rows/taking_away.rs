//! Row B30: an invalidation is that of the entry; and values that are held back longer.

use lazy_mmu_testing::prelude::*;

/// Takes one entry away in each way: what each executes.
fn assert_taken(old: u64, level: u8, expected: &str) {
    let slot = AtomicU64::new(old);
    let (slots, range) = (std::slice::from_ref(&slot), entry_at(level, 0));
    // The last way stores a new entry too.
    let replaced = expected.replace(')', "S)");
    let ways: [&dyn Fn(); 4] = [
        &|| _ = with::<Sim, _>(|m| m.unmap(&slot, range).invalidate(m)),
        &|| with::<Sim, _>(|m| m.unmap_range(slots, range).invalidate(m)),
        &|| with::<Sim, _>(|m| drop(m.unmap_range_into(slots, range, [0]))),
        &|| _ = with::<Sim, _>(|m| m.break_before_make(&slot, range, |_| Leaf(0))),
    ];
    for (number, way) in ways.into_iter().enumerate() {
        slot.put(old);
        way();
        let expected = if number == 3 { &replaced } else { expected };
        assert_eq!(trace(), expected, "way {number}, level {level}, {old:#x}");
    }
}

#[test]
fn b30_a_block_costs_one_instruction_and_a_table_all_levels() {
    assert_taken(BLOCK, 1, "(SDTdRdI)");
    assert_taken(BLOCK, 2, "(SDTdRdI)");
    // A page, whose bit 1 is not a table's.
    assert_taken(KERNEL.0, 3, "(SDTdRdI)");
    let all_levels = format!("(SD{}dRdI)", "t".repeat(512));
    assert_taken(LINK.0, 2, &all_levels);
    // More pages below it than instructions are executed one by one.
    assert_taken(LINK.0, 1, "(SDAdRdI)");
    // By its name, whatever the entry was.
    let slot = AtomicU64::new(0);
    with::<Sim, _>(|mmu| mmu.unmap_table(&slot, entry_at(2, 0)).invalidate(mmu));
    assert_eq!(trace(), all_levels);
}

#[test]
fn b30_one_table_among_blocks_is_found() {
    let entries = [BLOCK, LINK.0, BLOCK].map(AtomicU64::new);
    let range = range(3 * 512);
    with::<Sim, _>(|mmu| mmu.unmap_range(&entries, range).invalidate(mmu));
    assert_eq!(trace(), "(SSSDAdRdI)", "1536 pages are too many one by one");
    let entries = [BLOCK; 3].map(AtomicU64::new);
    with::<Sim, _>(|mmu| mmu.unmap_range(&entries, range).invalidate(mmu));
    assert_eq!(trace(), "(SSSDTTTdRdI)");
}

#[test]
fn b30_what_is_joined_is_invalidated_by_the_smaller_entry() {
    let [block, page] = [BLOCK, KERNEL.0].map(AtomicU64::new);
    let behind = range_at(2 << 20, 1);
    with::<Sim, _>(|mmu| {
        let block = mmu.unmap(&block, entry_at(2, 0));
        let page = mmu.unmap(&page, behind);
        block.and(page).invalidate(mmu);
    });
    assert_eq!(trace(), "(SSDAdRdI)", "513 pages");
    // Nothing adds nothing.
    let block = AtomicU64::new(BLOCK);
    with::<Sim, _>(|mmu| {
        let before = mmu.unmap_range(&[], range(0));
        let block = mmu.unmap(&block, entry_at(2, 0));
        let behind = mmu.unmap_range(&[], range(0));
        before.and(block).and(behind).invalidate(mmu);
    });
    assert_eq!(trace(), "(SDTdRdI)");
}

#[test]
fn what_is_mapped_is_changed_after_the_invalidation_only() {
    let [slot] = holding(LINK.0);
    let deferred = Cell::new(0);
    let changed = |old| {
        assert!(trace().ends_with("dRdI"), "it is invalidated");
        deferred.set(old);
        old + 1
    };
    let unmap = |mmu: &mut LazyMmu<'_, Dynamic, Sim>| mmu.unmap_table(&slot, entry_at(2, 0));
    with::<Sim, _>(|mmu| {
        let unmapped = unmap(mmu).map(changed);
        assert_eq!(trace(), "(S");
        assert_eq!(unmapped.invalidate(mmu).get(), LINK.0 + 1);
    });
    // Dropped, before the invalidation and behind it.
    slot.put(LINK.0);
    with::<Sim, _>(|mmu| drop(unmap(mmu).map(changed)));
    assert_eq!((deferred.take(), trace().len()), (LINK.0, 1));
    slot.put(LINK.0);
    with::<Sim, _>(|mmu| drop(unmap(mmu).map(changed).invalidate(mmu)));
    assert_eq!(deferred.take(), LINK.0);
    // Forgotten, it is not changed.
    slot.put(LINK.0);
    with::<Sim, _>(|mmu| std::mem::forget(unmap(mmu).map(changed)));
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
