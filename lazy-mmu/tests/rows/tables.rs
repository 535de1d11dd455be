//! Rows B29 and B33: a table is filled before a walker can find it.

use lazy_mmu_testing::prelude::*;

/// A valid block of 2 MiB, writable by the hardware and clean.
const BLOCK: u64 = 0x4000_0000 | KERNEL_DATA | DBM | READ_ONLY | VALID;

/// A `dsb` stands in the trace between the last store to `child` and the store to `parent`.
fn assert_ordered(child: &AtomicU64, parent: &AtomicU64, way: &str) {
    let trace = take_trace();
    let store_to = |slot: &AtomicU64| {
        let slot = core::ptr::from_ref(slot) as usize;
        let is_it = |it: &Event| matches!(it, Event::Store { slot: at, .. } if *at == slot);
        trace.iter().rposition(is_it).expect("it was stored")
    };
    let (child, parent) = (store_to(child), store_to(parent));
    let between = trace.get(child..parent);
    assert!(
        between.is_some_and(|it| it.contains(&Event::DsbIshst) || it.contains(&Event::DsbIsh)),
        "{way}: {trace:?}"
    );
}

for_both_storages! {
    fn b29_a_link_is_ordered_after_the_stores_that_fill_its_table<B>() {
        // A user's page: its own store needs no pair, so nothing else orders it.
        for child_leaf in [KERNEL, USERS] {
            let [child, parent, other] = slots::<3>();
            let pair = std::slice::from_ref(&parent);
            let clear = || parent.put(0);
            let range = range(512);
            let check = |way| assert_ordered(&child, &parent, way);

            with::<B, _>(|m| { m.write(&child, child_leaf); m.write(&parent, LINK); });
            check("write");
            with::<B, _>(|m| { m.write(&child, child_leaf); m.write(&parent, TopLevel::at(0)); });
            check("write, top level");
            write::<B, _>(&child, child_leaf);
            write::<B, _>(&parent, LINK);
            check("without a section");
            interrupt(|| { write::<B, _>(&child, child_leaf); write::<B, _>(&parent, LINK); });
            check("in an interrupt");
            with::<B, _>(|m| m.write_range(pair, |_| { write::<B, _>(&child, child_leaf); LINK }));
            check("write_range, filled by its closure");
            let two = [&other, &parent];
            with::<B, _>(|m| {
                m.write_range(std::slice::from_ref(two[0]), |_| KERNEL);
                m.write(&child, child_leaf);
                m.nest().write_range(pair, |_| LINK);
            });
            check("write_range, nested");
            clear();
            with::<B, _>(|m| {
                m.write(&child, child_leaf);
                m.compare_exchange(&parent, Table::INVALID, LINK).unwrap();
            });
            check("compare_exchange");
            clear();
            write::<B, _>(&child, child_leaf);
            update::compare_exchange::<B, _>(&parent, Table::INVALID, LINK).unwrap();
            check("compare_exchange, without a section");
            with::<B, _>(|m| { m.write(&child, child_leaf); m.write_sync(&parent, LINK); });
            check("write_sync");
            write::<B, _>(&child, child_leaf);
            write_sync::<B, _>(&parent, LINK);
            check("write_sync, without a section");
            with::<B, _>(|m| m.break_before_make(&parent, range, |_| {
                write::<B, _>(&child, child_leaf);
                LINK
            }));
            check("break_before_make");
            with::<B, _>(|m| m.link_table(&parent, LINK, std::slice::from_ref(&child), |_| child_leaf));
            check("link_table");
            parent.put(BLOCK);
            with::<B, _>(|m| {
                // SAFETY: nothing walks them.
                unsafe { m.split_block(&parent, std::slice::from_ref(&child), LINK, |_, _| child_leaf) }
            })
            .unwrap();
            check("split_block");
        }
    }
}

/// In a range each entry that links a table is ordered, also behind one that needs the pair
/// already.
#[test]
fn b29_every_link_of_a_range_is_ordered() {
    let parents = slots::<3>();
    let children = slots::<3>();
    with::<Sim, _>(|mmu| {
        mmu.write_range(&parents, |i| {
            write::<Sim, _>(&children[i], USERS);
            LINK
        });
    });
    assert_eq!(trace(), "(SDSSDSSDSDI)");
}

#[test]
fn b29_no_other_store_pays_for_the_order() {
    let [slot] = slots::<1>();
    with::<Sim, _>(|mmu| {
        mmu.write(&slot, KERNEL);
        mmu.write(&slot, Table::INVALID);
        mmu.write(&slot, Leaf::INVALID);
    });
    with::<Sim, _>(|mmu| mmu.write(&slot, TopLevel::INVALID));
    assert_eq!(trace(), "(SSSDI)(SDI)");
    assert!(!KERNEL.points_to_table() && !Table::INVALID.points_to_table());
}

#[test]
fn b29_link_table_loses_no_pair_though_the_table_were_live_or_the_link_invalid() {
    let [parent] = slots::<1>();
    let children = slots::<4>();
    with::<Sim, _>(|mmu| mmu.link_table(&parent, Table::INVALID, &children, |_| KERNEL));
    assert!(children.iter().all(is_settled));
    assert_eq!(trace(), "(SSSSDSDI)");
}

/// Whatever kind the link is written as.
#[test]
fn b29_link_table_orders_any_link() {
    let [parent] = slots::<1>();
    let children = slots::<2>();
    with::<Sim, _>(|mmu| mmu.link_table(&parent, KernelLeaf(LINK.0), &children, |_| USERS));
    assert_eq!(trace(), "(SSDSDI)");
}

#[test]
fn b33_what_the_hardware_notes_while_children_are_filled_is_not_lost() {
    let parent = AtomicU64::new(BLOCK & !ACCESSED);
    let children = slots::<8>();
    let mut calls = 0;
    with::<Sim, _>(|mmu| {
        let child = |block: u64, i: usize| {
            calls += 1;
            // The walker: accessed when the third child is filled, dirty at the end of the second
            // time.
            match calls {
                3 => drop(parent.fetch_or(ACCESSED, Ordering::Relaxed)),
                16 => drop(parent.fetch_and(!READ_ONLY, Ordering::Relaxed)),
                _ => {}
            }
            let attributes = block & (KERNEL_DATA | DBM | READ_ONLY);
            Leaf::page(0x4000_0000 + 4096 * i as u64, attributes)
        };
        // SAFETY: nothing walks them.
        let old = unsafe { mmu.split_block(&parent, &children, LINK, child) };
        assert_eq!(old, Ok(BLOCK & !READ_ONLY), "accessed and dirty");
    });
    assert_eq!(calls, 24, "three times, each with the newest block");
    for child in &children {
        let child = child.get();
        assert_eq!(child & (ACCESSED | DBM | READ_ONLY), ACCESSED | DBM);
    }
    assert_eq!(parent.get(), LINK.0);
}

#[test]
fn b33_a_second_split_of_the_same_block_fails() {
    let parent = AtomicU64::new(BLOCK);
    let [first, second] = [slots::<1>(), slots::<1>()];
    let other = Table::at(0x4900_0000);
    with::<Sim, _>(|mmu| {
        // Another CPU splits it while the children are filled.
        let child = |_, _| {
            with::<Sim, _>(|mmu| {
                // SAFETY: nothing walks them.
                let _ = unsafe { mmu.split_block(&parent, &second, other, |_, _| KERNEL) };
            });
            KERNEL
        };
        // SAFETY: nothing walks them.
        let lost = unsafe { mmu.split_block(&parent, &first, LINK, child) };
        assert_eq!(lost, Err(other.0), "the parent is what it is now");
        // SAFETY: as above.
        let again = unsafe { mmu.split_block(&parent, &first, LINK, |_, _| KERNEL) };
        assert_eq!(again, Err(other.0));
        parent.put(0);
        // SAFETY: as above.
        let invalid = unsafe { mmu.split_block(&parent, &first, LINK, |_, _| KERNEL) };
        assert_eq!(invalid, Err(0));
    });
    assert_eq!(parent.get(), 0);
}

#[test]
#[should_panic(expected = "is in a contiguous group")]
fn b33_b32_a_block_of_a_contiguous_group_is_not_split_alone() {
    let parent = AtomicU64::new(BLOCK | CONTIGUOUS);
    with::<Sim, _>(|mmu| {
        // SAFETY: nothing walks them.
        let _ = unsafe { mmu.split_block(&parent, &slots::<1>(), LINK, |_, _| KERNEL) };
    });
}
