//! Row B30: an invalidation is that of the entry; and values that are held back longer.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

use lazy_mmu::VirtualRange;
use lazy_mmu::aarch64::Granule;
use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf, Table, VALID};
use lazy_mmu::sim::Sim;
use lazy_mmu::with;

use crate::common::{KERNEL, slots, trace};

const BASE: u64 = 0xffff_8000_0000_0000;
const BLOCK: u64 = 0x4000_0000 | KERNEL_DATA | VALID;
const TABLE: u64 = Table::at(0x4800_0000).0;

/// What one entry at `level` translates.
fn entry(level: u8) -> VirtualRange {
    Granule::Kib4.entry(level, BASE).unwrap()
}

/// Each way in which one entry is taken away: what it executes.
fn ways(old: u64, level: u8) -> [String; 4] {
    let slot = AtomicU64::new(old);
    let slots = std::slice::from_ref(&slot);
    let taken = |way: &dyn Fn()| {
        slot.store(old, Ordering::Relaxed);
        way();
        trace()
    };
    [
        taken(&|| {
            with::<Sim, _>(|mmu| mmu.unmap(&slot, entry(level)).invalidate(mmu));
        }),
        taken(&|| with::<Sim, _>(|mmu| mmu.unmap_range(slots, entry(level)).invalidate(mmu))),
        taken(&|| {
            with::<Sim, _>(|mmu| drop(mmu.unmap_range_into(slots, entry(level), [0])));
        }),
        taken(&|| {
            with::<Sim, _>(|mmu| mmu.break_before_make(&slot, entry(level), |_| Leaf::INVALID));
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
    assert_eq!(ways(TABLE, 2), [(); 4].map(|()| all_levels.clone()));
    // More pages below it than instructions are executed one by one.
    assert_eq!(ways(TABLE, 1), ["(SDAdRdI)"; 4]);
    // By its name, whatever the entry was.
    let slot = AtomicU64::new(0);
    with::<Sim, _>(|mmu| mmu.unmap_table(&slot, entry(2)).invalidate(mmu));
    assert_eq!(trace(), all_levels);
}

#[test]
fn b30_one_table_among_blocks_is_found() {
    let entries = [BLOCK, TABLE, BLOCK].map(AtomicU64::new);
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
        let block = mmu.unmap(&block, entry(2));
        let page = mmu.unmap(&page, behind);
        block.and(page).invalidate(mmu);
    });
    assert_eq!(trace(), "(SSDAdRdI)", "513 pages");
    // Nothing adds nothing.
    let block = AtomicU64::new(BLOCK);
    with::<Sim, _>(|mmu| {
        let none = || Granule::Kib4.range(BASE, 0).unwrap();
        let before = mmu.unmap_range(&[], none());
        let block = mmu.unmap(&block, entry(2));
        let behind = mmu.unmap_range(&[], none());
        before.and(block).and(behind).invalidate(mmu);
    });
    assert_eq!(trace(), "(SDTdRdI)");
}

#[test]
fn what_is_mapped_is_changed_after_the_invalidation_only() {
    let [slot] = slots::<1>();
    let deferred = Cell::new(0);
    slot.store(TABLE, Ordering::Relaxed);
    with::<Sim, _>(|mmu| {
        let unmapped = mmu.unmap_table(&slot, entry(2)).map(|old| {
            assert!(trace().ends_with("dRdI"), "it is invalidated");
            old + 1
        });
        assert_eq!(trace(), "(S");
        assert_eq!(unmapped.invalidate(mmu).get(), TABLE + 1);
    });
    trace();
    // Dropped, before the invalidation and behind it.
    for early in [true, false] {
        slot.store(TABLE, Ordering::Relaxed);
        with::<Sim, _>(|mmu| {
            let unmapped = mmu.unmap_table(&slot, entry(2)).map(|old| {
                assert!(trace().ends_with("dRdI"), "it is invalidated");
                deferred.set(old);
            });
            if early {
                drop(unmapped);
            } else {
                drop(unmapped.invalidate(mmu));
            }
        });
        assert_eq!(deferred.take(), TABLE);
        trace();
    }
    // Forgotten, it is not changed.
    slot.store(TABLE, Ordering::Relaxed);
    with::<Sim, _>(|mmu| {
        std::mem::forget(
            mmu.unmap_table(&slot, entry(2))
                .map(|old| deferred.set(old)),
        );
    });
    assert_eq!(deferred.take(), 0);
    trace();
}

#[test]
fn b30_a_page_of_each_granule_costs_one_instruction() {
    use Granule::{Kib4, Kib16, Kib64};
    for granule in [Kib4, Kib16, Kib64] {
        let slot = AtomicU64::new(KERNEL.0);
        let page = granule.range(BASE, 1).unwrap();
        let old = lazy_mmu::aarch64::unmap::<Sim>(&slot, page).invalidate_now();
        assert_eq!((old, &*trace()), (KERNEL.0, "SDTdRdI"), "{granule:?}");
    }
}
