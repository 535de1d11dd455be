//! Row B32: contiguous groups change as a whole.

use lazy_mmu_testing::prelude::*;

const MEMBER: u64 = KERNEL_DATA | DBM | CONTIGUOUS;

fn leaf(i: usize, attributes: u64) -> Leaf {
    Leaf::page(0x4000_0000 + 4096 * i as u64, attributes)
}

/// 32 pages, two groups of 16, dirty by the hardware's bits.
fn two_groups() -> [AtomicU64; 32] {
    core::array::from_fn(|i| AtomicU64::new(leaf(i, MEMBER).0))
}

fn pages(first: u64, pages: u64) -> VirtualRange {
    range_at(4096 * first, pages)
}

/// Every operation that would change a part of a group panics, before it changes anything.
#[test]
fn b32_a_part_of_a_group_is_refused() {
    type Attempt<'a> = (&'static str, &'a dyn Fn());
    let table = two_groups();
    let before = values(&table);
    let one = &table[5];
    let part = &table[5..16];
    let current = leaf(5, MEMBER);
    let attempts: [Attempt<'_>; 15] = [
        ("get_and_clear", &|| {
            update::get_and_clear::<Sim>(one);
        }),
        ("set_wrprotect", &|| {
            update::set_wrprotect::<Sim>(one, 0);
        }),
        ("test_and_clear_young", &|| {
            update::test_and_clear_young::<Sim>(one);
        }),
        ("set_access_flags", &|| {
            update::set_access_flags::<Sim, _>(one, Leaf(ACCESSED), 1 << 55);
        }),
        ("set_access_flags in a section", &|| {
            with::<Sim, _>(|mmu| mmu.set_access_flags(one, Leaf(ACCESSED), 1 << 55));
        }),
        ("compare_exchange", &|| {
            let _ = update::compare_exchange::<Sim, _>(one, current, Leaf::INVALID);
        }),
        ("compare_exchange in a section", &|| {
            let _ = with::<Sim, _>(|mmu| mmu.compare_exchange(one, current, Leaf::INVALID));
        }),
        ("unmap", &|| {
            with::<Sim, _>(|mmu| drop(mmu.unmap(one, pages(5, 1))));
        }),
        ("unmap_table", &|| {
            with::<Sim, _>(|mmu| drop(mmu.unmap_table(one, pages(5, 1))));
        }),
        ("break_before_make", &|| {
            with::<Sim, _>(|mmu| mmu.break_before_make(one, pages(5, 1), |_| current));
        }),
        ("unmap_range, cut in front", &|| {
            with::<Sim, _>(|mmu| drop(mmu.unmap_range(part, pages(5, 11))));
        }),
        ("unmap_range, cut behind", &|| {
            with::<Sim, _>(|mmu| drop(mmu.unmap_range(&table[..20], pages(0, 20))));
        }),
        ("unmap_range_into", &|| {
            with::<Sim, _>(|mmu| drop(mmu.unmap_range_into(part, pages(5, 11), [0; 11])));
        }),
        ("set_memory_valid, invalid", &|| {
            with::<Sim, _>(|mmu| mmu.set_memory_valid(part, pages(5, 11), false));
        }),
        ("set_memory_valid, cut behind", &|| {
            with::<Sim, _>(|mmu| mmu.set_memory_valid(&table[16..31], pages(16, 15), false));
        }),
    ];
    for (name, attempt) in attempts {
        let panic = catch_unwind(AssertUnwindSafe(attempt)).expect_err(name);
        let message = panic.downcast_ref::<String>().expect("a message");
        assert!(message.contains("contiguous group"), "{name}: {message}");
        assert_eq!(values(&table), before, "{name}");
        assert_eq!(bits::<Sim>(), Bits::EMPTY, "{name}");
    }
}

#[test]
fn b32_entries_that_become_valid_do_it_as_a_group() {
    let table = two_groups();
    with::<Sim, _>(|mmu| mmu.set_memory_valid(&table, pages(0, 32), false));
    let before = values(&table);
    assert!(before.iter().all(|it| it & VALID == 0));
    let part = || with::<Sim, _>(|mmu| mmu.set_memory_valid(&table[..15], pages(0, 15), true));
    assert!(unwinds(part));
    assert_eq!(values(&table), before);
    with::<Sim, _>(|mmu| mmu.set_memory_valid(&table[16..], pages(16, 16), true));
    assert!(table[16..].iter().all(|it| it.get() & VALID != 0));
}

#[test]
fn b32_whole_groups_are_one_operation() {
    let table = two_groups();
    let groups =
        [&table[..16], &table[16..]].map(|it| ContiguousGroup::new(Granule::Kib4, 3, it).unwrap());
    // What the hardware has noted in one entry only.
    for slot in &table {
        slot.fetch_and(!ACCESSED, Ordering::Relaxed);
        slot.fetch_or(READ_ONLY, Ordering::Relaxed);
    }
    table[3].fetch_or(ACCESSED, Ordering::Relaxed);
    table[7].fetch_and(!READ_ONLY, Ordering::Relaxed);
    let old = groups[0].test_and_clear_young::<Sim>();
    assert_eq!(old, leaf(0, MEMBER).0, "accessed, and dirty");
    assert_eq!(table[3].get() & ACCESSED, 0);
    let old = groups[0].set_wrprotect::<Sim>(1 << 55);
    assert_eq!(old & (DBM | READ_ONLY | ACCESSED), DBM, "dirty");
    for (i, slot) in table[..16].iter().enumerate() {
        let bits = slot.get();
        assert_eq!(bits & (DBM | READ_ONLY), READ_ONLY);
        assert_eq!(bits >> 55 & 1 != 0, i == 7, "the one that was dirty");
    }
    assert_eq!(trace().matches('D').count(), 0, "they take away");

    with::<Sim, _>(|_| {
        assert!(groups[0].set_access_flags::<Sim, _>(Leaf(ACCESSED | DBM), 0));
        assert!(!groups[0].set_access_flags::<Sim, _>(Leaf(ACCESSED | DBM | READ_ONLY), 0));
        assert!(!is_settled(&table[0]), "deferred");
    });
    assert!(table[..16].iter().all(is_settled));
    assert!(table[..16].iter().all(|it| it.get() & ACCESSED != 0));

    trace();
    assert!(!groups[0].set_access_flags::<Sim, _>(Leaf(ACCESSED | DBM), 0));
    // Nothing is changed, so no pair is due.
    assert_eq!(trace(), "S".repeat(16));

    let old = groups[1].get_and_clear::<Sim>();
    assert_eq!(old, leaf(16, MEMBER).0 & !ACCESSED | READ_ONLY);
    assert!(table[16..].iter().all(|it| it.get() == 0));
    trace();
    // By range: the group, and entries that are in none.
    with::<Sim, _>(|mmu| mmu.unmap_range(&table, pages(0, 32)).invalidate(mmu));
    assert_eq!(values(&table), [0; 32]);
    let (stores, tlbis) = ("S".repeat(32), "T".repeat(32));
    assert_eq!(trace(), format!("({stores}D{tlbis}dRdI)"));
}

/// Neither invalid entries nor tables are members, whatever bit 52 is in them.
#[test]
fn b32_what_is_in_no_group_changes_alone() {
    let [slot] = slots::<1>();
    let bits = CONTIGUOUS | 0x1234_0000;
    slot.put(bits);
    assert_eq!(update::get_and_clear::<Sim>(&slot), bits);
    // Software's bit of a table descriptor.
    slot.put(0x4000_0003 | CONTIGUOUS);
    with::<Sim, _>(|mmu| mmu.unmap(&slot, entry_at(2, 0)).invalidate(mmu));
    slot.put(leaf(0, KERNEL_DATA).0);
    with::<Sim, _>(|mmu| mmu.unmap(&slot, pages(0, 1)).invalidate(mmu));
}

#[test]
fn b32_what_is_no_group_is_refused() {
    let table = two_groups();
    let group = |first: usize, n: usize| {
        ContiguousGroup::new(Granule::Kib4, 3, &table[first..first + n]).map(|it| it.slots().len())
    };
    assert_eq!(group(0, 16), Ok(16));
    assert_eq!(group(16, 16), Ok(16));
    let expected = Some(16);
    for entries in [15, 32] {
        let error = NotAGroup::Length { entries, expected };
        assert_eq!(group(0, entries), Err(error));
    }
    // Halves of two groups: the address tells.
    let bits = leaf(8, MEMBER).0;
    assert_eq!(group(8, 16), Err(NotAGroup::Entry { index: 0, bits }));
    for bits in [0, leaf(3, KERNEL_DATA).0, leaf(4, MEMBER).0] {
        table[3].put(bits);
        assert_eq!(group(0, 16), Err(NotAGroup::Entry { index: 3, bits }));
    }
    let none = ContiguousGroup::new(Granule::Kib4, 0, &table[..16]).unwrap_err();
    assert_eq!(
        [none, group(0, 2).unwrap_err(), group(0, 16).unwrap_err()].map(|it| it.to_string()),
        [
            "there are no contiguous groups at this level",
            "2 entries are not a contiguous group of 16",
            "entry 3, 0x78000040004703, does not belong to a contiguous group with the others",
        ]
    );
}

/// Bit 52 of a table descriptor is ignored by hardware.
#[test]
fn b32_a_table_is_in_no_group_whatever_its_bits() {
    let link = |i: u64| Table::new(Granule::Kib4, 2, 0x4800_0000 + (i << 21), CONTIGUOUS).unwrap();
    let slot = AtomicU64::new(link(0).0);
    let cleared = update::compare_exchange::<Sim, _>(&slot, link(0), Table::INVALID);
    assert_eq!(cleared, Ok(link(0).0));
    let tables: [AtomicU64; 16] = core::array::from_fn(|i| AtomicU64::new(link(i as u64).0));
    let bits = link(0).0;
    let group = ContiguousGroup::new(Granule::Kib4, 2, &tables);
    assert_eq!(group.map(|_| ()), Err(NotAGroup::Entry { index: 0, bits }));
    // Valid without bit 1 is reserved at level 3.
    let bits = leaf(0, MEMBER).0 & !2;
    tables[0].put(bits);
    let group = ContiguousGroup::new(Granule::Kib4, 3, &tables);
    assert_eq!(group.map(|_| ()), Err(NotAGroup::Entry { index: 0, bits }));
}

#[test]
fn b32_a_descriptor_that_panics_leaves_the_group_as_it_was() {
    let table = two_groups();
    for slot in &table {
        slot.fetch_or(READ_ONLY, Ordering::Relaxed);
    }
    let before = values(&table);
    let group = ContiguousGroup::new(Granule::Kib4, 3, &table[..16]).unwrap();
    let changes = || group.set_access_flags::<Sim, _>(Panicky(DBM), 0);
    let calls = (0..).take_while(|&calls| {
        let panicked = panics_after(calls, changes);
        assert_eq!(values(&table) == before, panicked, "{calls} calls");
        panicked
    });
    assert!(calls.count() > 32, "at each of the calls for 16 entries");
}
