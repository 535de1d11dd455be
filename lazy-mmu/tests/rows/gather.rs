//! Behaviours B34 and B35: a gather, or an `Unmapped`, withholds values until the invalidation.

use std::cell::RefCell;

use lazy_mmu_testing::prelude::*;

const MIB: u64 = 1 << 20;

fn page(number: u64) -> VirtualRange {
    range_at(4096 * number, 1)
}

/// A frame that records its drop. The tests check that its translation has been invalidated first.
#[derive(Debug, PartialEq)]
struct Frame(u64);

thread_local! {
    /// Frames that were dropped.
    static DROPPED: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

impl Drop for Frame {
    fn drop(&mut self) {
        DROPPED.with_borrow_mut(|it| it.push(self.0));
    }
}

fn dropped() -> Vec<u64> {
    DROPPED.take()
}

/// Gathers with room for `N` values. Returns the storage after the gather.
fn gathered<const N: usize, T>(f: impl FnOnce(&mut Gather<'_, T, Sim>)) -> [Option<T>; N] {
    let mut storage = [const { None }; N];
    gather::<Sim, _, _>(&mut storage, f);
    storage
}

/// Does the same, and checks that `f` panics.
fn gathered_until_panic(f: impl FnOnce(&mut Gather<'_, Frame, Sim>)) -> [Option<Frame>; 4] {
    let mut storage = [const { None }; 4];
    assert!(unwinds(|| gather::<Sim, _, _>(&mut storage, f)));
    storage
}

/// Gathers a kernel page for each range.
fn unmap_each(ranges: impl IntoIterator<Item = VirtualRange>) {
    gathered::<40, _>(|gather| {
        for range in ranges {
            let slot = AtomicU64::new(KERNEL.0);
            gather.unmap(&slot, range, drop).unwrap();
        }
    });
}

for_both_storages! {
    fn b34_entries_tables_and_kept_values_are_had_back_after_one_invalidation<B>() {
        let [leaf, block, other] = [KERNEL.0, BLOCK, KERNEL.0].map(AtomicU64::new);
        let table = AtomicU64::new(LINK.0);
        let mut storage = [const { None }; 8];
        let result = gather::<B, _, _>(&mut storage, |gather| {
            gather.unmap(&leaf, page(0), Frame).unwrap();
            gather.unmap(&block, entry_at(2, 4 * MIB), Frame).unwrap();
            gather.unmap_table(&table, entry_at(2, 8 * MIB), Frame).unwrap();
            aarch64::unmap_range::<B>(std::slice::from_ref(&other), page(4096)).invalidate_now();
            assert_eq!(trace(), "SSSSDTdRdI", "only other code has invalidated");
            let theirs = Unmapped::withhold(Frame(KERNEL.0), page(4096), Scope::PAGES);
            gather.add(theirs).unwrap();
            gather.withhold(Frame(1), page(5000), Scope::PAGES).unwrap();
            gather.keep(Frame(2)).unwrap();
            assert_eq!(trace(), "", "these calls neither store nor invalidate");
            "returned"
        });
        assert_eq!(result, "returned");
        assert_eq!(trace(), "DAdRdI", "one invalidation, because 516 pages exceed the limit");
        let expected = [KERNEL.0, BLOCK, LINK.0, KERNEL.0, 1, 2].map(|it| Some(Frame(it)));
        assert_eq!(storage[..6], expected);
        assert_eq!(storage[6..], [const { None }; 2]);
        assert!([&leaf, &block, &other, &table].iter().all(|it| it.get() == 0));
    }
}

#[test]
fn b34_a_full_gather_refuses_before_an_entry_is_cleared() {
    let table = holding::<4>(KERNEL.0);
    let added = || Unmapped::withhold(Frame(7), page(9), Scope::PAGES);
    let refuses = |gather: &mut Gather<'_, Frame, Sim>| {
        assert!(gather.is_full());
        let never = |_| unreachable!("a full gather does not make a value");
        assert!(gather.unmap(&table[1], page(1), never).is_err());
        let full: Full = gather.unmap_table(&table[2], page(2), never).unwrap_err();
        let text = "the gather is full; flush it before the next mapping is removed";
        assert_eq!(full.to_string(), text);
        let withheld = gather.withhold(Frame(1), page(3), Scope::PAGES);
        assert_eq!(withheld, Err(Frame(1)));
        drop(withheld);
        assert_eq!(gather.keep(Frame(2)), Err(Frame(2)));
        assert_eq!(trace(), "");
        // The caller drops the refused frames, and the assertions drop those that they compare.
        assert_eq!(dropped(), [1, 1, 2, 2]);
        // `add` returns a refused mapping. The drop of the mapping invalidates it.
        let back = gather.add(added()).unwrap_err();
        assert_eq!((trace().as_str(), dropped().len()), ("", 0));
        drop(back);
        assert_eq!((trace().as_str(), dropped()), ("DTdRdI", vec![7]));
        assert!(table[1..].iter().all(|it| it.get() == KERNEL.0));
    };
    let storage = gathered::<1, _>(|gather| {
        assert!(!gather.is_full());
        gather.unmap(&table[0], page(0), Frame).unwrap();
        assert_eq!(trace(), "S");
        refuses(gather);
    });
    assert_eq!(trace(), "DTdRdI", "the accepted entry is invalidated");
    assert_eq!(storage, [Some(Frame(KERNEL.0))]);
    dropped();
    // A gather with an empty storage.
    gathered::<0, _>(refuses);
    assert_eq!(trace(), "");
}

for_both_storages! {
    fn b34_a_flush_invalidates_and_makes_room<B>() {
        let table = holding::<10>(KERNEL.0);
        let mut storage = [const { None }; 4];
        let mut freed = 0;
        gather::<B, _, _>(&mut storage, |gather| {
            for (slot, number) in table.iter().zip(0..) {
                if gather.is_full() {
                    gather.flush(|frame: Frame| {
                        assert!(letters(&take_trace()).ends_with("TTTTdRdI") || freed % 4 != 0);
                        assert_eq!(trace(), "", "one invalidation for all");
                        freed += 1;
                        drop(frame);
                    });
                    assert!(!gather.is_full());
                }
                gather.unmap(slot, page(number), |_| Frame(number)).unwrap();
            }
            assert_eq!(dropped(), [0, 1, 2, 3, 4, 5, 6, 7], "flush keeps the order");
        });
        assert_eq!(freed, 8);
        assert_eq!(trace(), "SSDTTdRdI");
        assert_eq!(storage, [Some(Frame(8)), Some(Frame(9)), None, None]);
        drop(storage);
        dropped();
    }
}

#[test]
fn b34_values_are_dropped_after_the_invalidation() {
    /// A value that records its drop in the trace.
    #[derive(Debug)]
    struct Tells;
    impl Drop for Tells {
        fn drop(&mut self) {
            execute(Event::Interrupt);
        }
    }
    let table = holding::<2>(KERNEL.0);
    drop(gathered::<4, _>(|gather| {
        gather.unmap(&table[0], page(0), |_| Tells).unwrap();
        gather.keep(Tells).unwrap();
        gather.flush(drop);
        gather.unmap(&table[1], page(1), |_| Tells).unwrap();
    }));
    assert_eq!(trace(), "SDTdRdI{{SDTdRdI{");
}

#[test]
fn b34_a_panic_of_the_closure_invalidates_and_loses_nothing() {
    let [slot] = holding(KERNEL.0);
    let storage = gathered_until_panic(|gather| {
        gather.unmap(&slot, page(0), Frame).unwrap();
        gather.keep(Frame(1)).unwrap();
        panic!("provoked");
    });
    assert_eq!(trace(), "SDTdRdI");
    assert_eq!(dropped(), [], "the values are in the storage");
    assert_eq!(storage, [Some(Frame(KERNEL.0)), Some(Frame(1)), None, None]);
}

#[test]
fn b34_a_panic_of_the_function_that_makes_a_value_invalidates_its_entry_too() {
    let table = holding::<3>(KERNEL.0);
    for (with_table, second) in [
        (false, Event::Tlbi(BASE + 8 * 4096)),
        (true, Event::TlbiTable(BASE + 8 * 4096)),
    ] {
        let storage = gathered_until_panic(|gather| {
            gather.unmap(&table[0], page(0), Frame).unwrap();
            let value = |_| panic!("provoked");
            let _ = if with_table {
                gather.unmap_table(&table[1], page(8), value)
            } else {
                gather.unmap(&table[1], page(8), value)
            };
        });
        // The gather invalidates the second entry, because the entry is cleared.
        assert_eq!(invalidated(), [Event::Tlbi(BASE), second]);
        assert_eq!(table[1].get(), 0);
        assert!(storage[0].is_some() && storage[1].is_none());
    }
}

/// Returns the TLBIs of the trace.
fn invalidated() -> Vec<Event> {
    let is_tlbi = |it: &Event| "TtFA".contains(&letters(&[*it]));
    take_trace().into_iter().filter(is_tlbi).collect()
}

#[test]
fn b34_a_panic_of_what_a_flush_calls_leaves_the_others_in_the_storage() {
    let table = holding::<4>(KERNEL.0);
    let storage = gathered_until_panic(|gather| {
        for (slot, number) in table.iter().zip(0..) {
            gather.unmap(slot, page(number), |_| Frame(number)).unwrap();
        }
        gather.flush(|frame| assert_eq!(frame.0, 0, "provoked at the second frame"));
    });
    assert_eq!(trace(), "SSSSDTTTTdRdI", "invalidated before the values");
    assert_eq!(dropped(), [0, 1], "the closure has received two frames");
    assert_eq!(storage[2..], [Some(Frame(2)), Some(Frame(3))]);
}

#[test]
fn b34_each_range_costs_what_its_entries_are() {
    let two = |offset| {
        unmap_each([range(1), range_at(offset, 1)]);
        trace()
    };
    // The pages between the two ranges are not invalidated.
    assert_eq!(two(MIB), "SSDTTdRdI");
    assert_eq!(two(4096), "SSDTTdRdI", "adjoining pages have one TLBI each");
    assert_eq!(two(0), "SSDTdRdI", "the same page");
    let one = |bits, level| {
        let slot = AtomicU64::new(bits);
        gathered::<1, _>(|gather| gather.unmap(&slot, entry_at(level, 0), drop).unwrap());
        trace()
    };
    assert_eq!(one(BLOCK, 2), "SDTdRdI");
    assert_eq!(one(BLOCK, 1), "SDTdRdI");
    let all_levels = format!("SD{}dRdI", "t".repeat(512));
    assert_eq!(one(LINK.0, 2), all_levels, "the old entry was a table");
    assert_eq!(one(LINK.0, 1), "SDAdRdI");
    let slot = AtomicU64::new(KERNEL.0);
    gathered::<1, _>(|gather| gather.unmap_table(&slot, entry_at(2, 0), drop).unwrap());
    assert_eq!(trace(), all_levels, "`unmap_table` invalidates all levels");
    // A block costs one TLBI, also between two pages that adjoin it.
    let [before, block, behind] = [KERNEL.0, BLOCK, KERNEL.0].map(AtomicU64::new);
    gathered::<3, _>(|gather| {
        gather.unmap(&before, page(511), drop).unwrap();
        gather.unmap(&block, entry_at(2, 2 * MIB), drop).unwrap();
        gather.unmap(&behind, page(1024), drop).unwrap();
    });
    assert_eq!(trace(), "SSSDTTTdRdI");
}

#[test]
fn b34_more_far_ranges_than_it_keeps_apart_are_all_invalidated() {
    // The gaps are one page, so the merged range stays small.
    for number in [8, 9, 12, 40] {
        unmap_each((0..number).map(|i| page(2 * i)));
        let trace = take_trace();
        // The gather keeps seven ranges apart, and merges the others.
        let merged = 2 * (number - 8) + 1;
        let tlbis = trace.iter().filter(|it| matches!(it, Event::Tlbi(_)));
        assert_eq!(tlbis.count() as u64, 7 + merged, "{number}");
        for i in 0..number {
            let tlbi = Event::Tlbi(page(2 * i).start());
            assert!(trace.contains(&tlbi), "{number}: {i}");
        }
        assert_eq!(trace.iter().filter(|it| **it == Event::DsbIshst).count(), 1);
    }
    // Ranges of two granules do not adjoin, so both are invalidated.
    let sixty_four = Granule::Kib64.range(0x1_0000, 1).unwrap();
    let four = Granule::Kib4.range(0x2000, 1).unwrap();
    gathered::<2, _>(|gather| {
        gather.withhold((), sixty_four, Scope::PAGES).unwrap();
        gather.withhold((), four, Scope::PAGES).unwrap();
    });
    assert_eq!(invalidated(), [Event::Tlbi(0x1_0000), Event::Tlbi(0x2000)]);
    // The merged range is too large if the ranges are far apart.
    unmap_each((0..12).rev().map(|i| range_at(i << 30, 1)));
    assert_eq!(trace(), format!("{}DAdRdI", "S".repeat(12)));
    // A merged range has the widest scope of its parts.
    let table = holding::<10>(KERNEL.0);
    gathered::<10, _>(|gather| {
        for (slot, i) in table[..8].iter().zip(0..) {
            gather.unmap(slot, page(2 * i), drop).unwrap();
        }
        gather.unmap_table(&table[8], page(16), drop).unwrap();
        gather.unmap(&table[9], page(18), drop).unwrap();
    });
    let tlbis = invalidated();
    let (merged, apart) = ([14, 16, 18].map(page), [0, 2, 4, 6, 8, 10, 12].map(page));
    let merged = merged.iter().map(|it| Event::TlbiTable(it.start()));
    let apart = apart.iter().map(|it| Event::Tlbi(it.start()));
    for tlbi in merged.chain(apart) {
        assert!(tlbis.contains(&tlbi), "{tlbi:?}: {tlbis:?}");
    }
}

#[test]
fn b34_more_pages_than_512_together_are_everything() {
    let sum = |ranges: &[VirtualRange]| {
        gathered::<4, _>(|gather| {
            for range in ranges {
                gather.withhold((), *range, Scope::PAGES).unwrap();
            }
        });
        trace()
    };
    let each = format!("D{}dRdI", "T".repeat(512));
    assert_eq!(sum(&[range_at(0, 256), range_at(8 * MIB, 256)]), each);
    assert_eq!(sum(&[range_at(0, 256), range_at(8 * MIB, 257)]), "DAdRdI");
    // Adjoining ranges.
    assert_eq!(sum(&[range_at(0, 256), range_at(MIB, 257)]), "DAdRdI");
    assert_eq!(sum(&[range_at(0, 256), range_at(MIB, 256)]), each);
}

#[test]
#[should_panic(expected = "the storage of a gather must contain only `None`")]
fn b34_a_storage_with_a_value_in_it_is_refused() {
    let mut storage = [None, Some(1)];
    gather::<Sim, _, ()>(&mut storage, |_| unreachable!("the gather is refused"));
}

for_both_storages! {
    fn b34_in_a_section_it_settles_the_pending_pair<B>() {
        let [pending, old] = slots();
        old.put(KERNEL.0);
        with::<B, _>(|mmu| {
            mmu.write(&pending, KERNEL);
            gather::<B, _, _>(&mut [None], |gather| {
                gather.unmap(&old, page(0), |old| old).unwrap();
                assert!(is_pending::<B>());
            });
            assert!(is_settled(&pending) && !is_pending::<B>());
        });
        assert_eq!(trace(), "(SSDTdRdI)", "the leave does not emit a pair");
        // In an interrupt, the pair of the thread stays pending.
        with::<B, _>(|mmu| {
            mmu.write(&pending, KERNEL);
            interrupt(|| {
                gather::<B, _, _>(&mut [None], |gather| {
                    gather.withhold((), page(0), Scope::PAGES).unwrap();
                });
            });
            assert_eq!(bits::<B>(), Bits::ACTIVE.union(Bits::PENDING));
        });
        assert_eq!(trace(), "(S{DTdRdI}DI)");
    }

    fn b34_an_empty_gather_executes_nothing<B>() {
        let [slot] = slots();
        with::<B, _>(|mmu| {
            mmu.write(&slot, KERNEL);
            gather::<B, (), _>(&mut [], |_| ());
            gather::<B, (), _>(&mut [None], |gather| gather.flush(|()| ()));
            let mut storage = [None];
            gather::<B, _, _>(&mut storage, |gather| gather.keep(7).unwrap());
            assert_eq!(storage, [Some(7)], "a value without a mapping is returned");
            assert!(is_pending::<B>());
        });
        assert_eq!(trace(), "(SDI)");
        // Two flushes and the end of the gather invalidate once.
        gather::<B, _, _>(&mut [None], |gather| {
            gather.withhold((), page(0), Scope::PAGES).unwrap();
            gather.flush(drop);
            gather.flush(drop);
        });
        assert_eq!(trace(), "DTdRdI");
    }
}

#[test]
fn b34_an_entry_that_is_refused_leaves_the_others_to_be_invalidated() {
    let table = holding::<2>(KERNEL.0 | CONTIGUOUS);
    table[0].put(KERNEL.0);
    let storage = gathered_until_panic(|gather| {
        gather.unmap(&table[0], page(0), Frame).unwrap();
        let _ = gather.unmap(&table[1], page(1), Frame);
    });
    assert_eq!(trace(), "SDTdRdI");
    assert_eq!(table[1].get(), KERNEL.0 | CONTIGUOUS);
    assert!(storage[0].is_some() && storage[1].is_none());
}

/// A range has pages of one size, so ranges of two sizes cannot be merged.
#[test]
fn b34_a_ninth_range_of_another_page_size_makes_everything() {
    let other = Granule::Kib64.range(BASE + (1 << 40), 1).unwrap();
    gathered::<16, _>(|gather| {
        for i in 0..8 {
            gather.withhold((), page(2 * i), Scope::PAGES).unwrap();
        }
        gather.withhold((), other, Scope::PAGES).unwrap();
    });
    assert_eq!(trace(), "DAdRdI");
}

for_both_storages! {
    fn b35_what_another_crate_unmapped_is_withheld_until_the_invalidation<B>() {
        // The mapper of another crate has cleared an entry.
        let unmapped = |number, scope| {
            Unmapped::<_, B>::withhold(Frame(number), page(number), scope)
        };
        let [slot] = slots();
        with::<B, _>(|mmu| {
            mmu.write(&slot, KERNEL);
            let withheld = unmapped(1, Scope::PAGES);
            assert_eq!(withheld.range(), page(1));
            assert_eq!(trace(), "(S", "`withhold` does not invalidate");
            let frame = withheld.invalidate(mmu);
            assert!(is_settled(&slot) && !is_pending::<B>());
            assert_eq!((&*trace(), dropped().len(), frame.0), ("DTdRdI", 0, 1));
        });
        assert_eq!((&*trace(), dropped()), (")", vec![1]));
        // A table, without a section.
        drop(unmapped(2, Scope::ALL_LEVELS).invalidate_now());
        assert_eq!((trace().as_str(), dropped()), ("DtdRdI", vec![2]));
        // A drop invalidates first.
        drop(unmapped(3, Scope::PAGES).map(|frame| {
            assert_eq!(trace(), "DTdRdI");
            drop(frame);
        }));
        assert_eq!(dropped(), [3]);
        // A block, and two pages together.
        let block = Unmapped::<_, B>::withhold((), entry_at(2, 0), Scope::leaves(21));
        block.invalidate_now();
        unmapped(4, Scope::PAGES).and(unmapped(5, Scope::PAGES)).invalidate_now();
        assert_eq!(trace(), "DTdRdIDTTdRdI");
        // A panic before the invalidation.
        let panics = || {
            let _withheld = unmapped(6, Scope::PAGES);
            dropped();
            panic!("provoked");
        };
        assert!(unwinds(panics));
        assert_eq!((trace().as_str(), dropped()), ("DTdRdI", vec![6]));
        // A forgotten value is leaked, and code cannot use it.
        std::mem::forget(unmapped(7, Scope::PAGES));
        assert_eq!((trace().as_str(), dropped().len()), ("", 0));
    }
}

#[test]
fn b34_a_gather_shows_its_ranges_and_not_its_values() {
    gathered::<2, _>(|gather| {
        gather.withhold(Frame(1), page(0), Scope::PAGES).unwrap();
        let text = format!("{gather:?}");
        assert!(text.contains("len: 1"), "{text}");
        assert!(text.contains("0xffff800000000000"), "{text}");
        assert!(!text.contains("Frame"), "{text}");
    });
}
