//! Behaviours B: which stores need the barrier pair, and when the pair is emitted.

use lazy_mmu_testing::prelude::*;

/// Returns the trace of a store in a section, without the events of the section.
fn in_section<B: Backend, D: Descriptor>(descriptor: D) -> String {
    let [slot] = slots();
    with::<B, _>(|mmu| mmu.write(&slot, descriptor));
    assert_eq!(slot.get(), descriptor.bits());
    trace().trim_matches(['(', ')']).to_owned()
}

for_both_storages! {
    fn b01_the_pair_is_dsb_ishst_then_isb_after_the_store<B>() {
        let [slot] = slots();
        write::<B, _>(&slot, KERNEL);
        assert_eq!(
            take_trace(),
            [
                Event::Store { slot: &raw const slot as usize, value: KERNEL.0 },
                Event::DsbIshst,
                Event::Isb,
            ]
        );
    }

    fn b02_outside_a_section_a_valid_kernel_leaf_is_followed_by_its_pair<B>() {
        let [one, two] = slots();
        write::<B, _>(&one, KERNEL);
        write::<B, _>(&two, KERNEL);
        assert_eq!(trace(), "SDISDI");
    }

    fn b03_n_stores_one_pair_at_leave<B>() {
        let table = slots::<512>();
        // Miri interprets each store, so it gets only a few numbers.
        let numbers = if cfg!(miri) { 1..=8 } else { 1..=table.len() };
        for n in numbers {
            with::<B, _>(|mmu| {
                for slot in &table[..n] {
                    mmu.write(slot, KERNEL);
                }
                assert!(!is_settled(&table[n - 1]));
            });
            assert_eq!(trace(), format!("({}DI)", "S".repeat(n)));
        }
    }

    fn b04_a_leaf_needs_the_pair_iff_valid_and_not_user<B>() {
        for combination in 0..16 {
            let leaf = chosen(combination, [VALID, USER, UXN, PXN]);
            let valid_kernel = leaf & VALID != 0 && leaf & USER == 0;
            let by_linux = valid_kernel && leaf & UXN != 0;
            // The other bits must not matter.
            let others = !(VALID | USER | UXN | PXN | CONTIGUOUS);
            for leaf in [leaf, leaf | others] {
                let pair = |needed| if needed { "SDI" } else { "S" };
                assert_eq!(in_section::<B, _>(Leaf(leaf)), pair(valid_kernel), "{leaf:#x}");
                assert_eq!(in_section::<B, _>(UxnLeaf(leaf)), pair(by_linux), "{leaf:#x}");
            }
        }
    }

    fn b05_an_execute_only_user_leaf_costs_a_pair_but_for_linuxs_rule<B>() {
        let execute_only = USER_TEXT & !USER;
        assert_eq!(in_section::<B, _>(Leaf::page(0x4000_0000, execute_only)), "SDI");
        assert_eq!(in_section::<B, _>(UxnLeaf::page(0x4000_0000, execute_only)), "S");
    }

    fn b06_an_invalid_or_cleared_leaf_leaves_nothing_pending<B>() {
        let [slot] = slots();
        for leaf in [Leaf::INVALID, Leaf(KERNEL.0 & !VALID)] {
            with::<B, _>(|mmu| {
                mmu.write(&slot, leaf);
                assert_eq!(bits::<B>(), Bits::ACTIVE);
            });
            write::<B, _>(&slot, leaf);
            assert_eq!(trace(), "(S)S");
        }
    }

    fn b07_a_section_of_user_and_invalid_updates_emits_nothing<B>() {
        let [one, two] = slots();
        with::<B, _>(|mmu| {
            for _ in 0..100 {
                mmu.write(&one, USERS);
                mmu.write(&two, Leaf::INVALID);
            }
        });
        assert_eq!(trace(), format!("({})", "S".repeat(200)));
    }

    fn b08_only_the_new_value_counts<B>() {
        let slot = AtomicU64::new(KERNEL.0);
        let other_page = Leaf::page(0x4000_1000, KERNEL_DATA);
        with::<B, _>(|mmu| mmu.write(&slot, other_page));
        assert_eq!(trace(), "(SDI)", "a valid entry becomes another valid one");
        with::<B, _>(|mmu| mmu.write(&slot, other_page));
        assert_eq!(trace(), "(SDI)", "the same value again");
        with::<B, _>(|mmu| mmu.write(&slot, Leaf::INVALID));
        assert_eq!(trace(), "(S)", "a valid entry becomes invalid");
    }

    fn b09_a_range_write_decides_once_for_any_entry<B>() {
        let table = slots::<16>();
        for needing in 0..=table.len() {
            with::<B, _>(|mmu| {
                mmu.write_range(&table, |i| if i == needing { KERNEL } else { USERS });
                let pending = bits::<B>().contains(Bits::PENDING);
                assert_eq!(pending, needing < table.len(), "entry {needing} needs the pair");
            });
            let pair = if needing < table.len() { "DI" } else { "" };
            assert_eq!(trace(), format!("({}{pair})", "S".repeat(16)));
            for (i, slot) in table.iter().enumerate() {
                let expected = if i == needing { KERNEL } else { USERS };
                assert_eq!(slot.get(), expected.0);
            }
        }
        with::<B, _>(|mmu| mmu.write_range(&[], |_| KERNEL));
        assert_eq!(trace(), "()", "an empty range does not need a pair");
    }
}

#[test]
fn b09_an_inert_range_write_emits_one_pair_at_once() {
    let table = slots::<16>();
    interrupt(|| with::<Sim, _>(|mmu| mmu.write_range(&table, |_| KERNEL)));
    assert_eq!(trace(), format!("{{[{}DI]}}", "S".repeat(16)));
}

for_both_storages! {
    fn b10_b12_b13_the_other_levels<B>() {
        assert_eq!(in_section::<B, _>(Table::at(0x4000_0000)), "DSDI");
        assert_eq!(in_section::<B, _>(Table(Table::at(0x4000_0000).0 & !VALID)), "S");
        assert_eq!(in_section::<B, _>(Table::INVALID), "S");
        assert_eq!(in_section::<B, _>(TopLevel::at(0x4000_0000)), "DSDI");
        assert_eq!(in_section::<B, _>(TopLevel::INVALID), "SDI");
    }

    fn b17_flush_emits_only_if_something_is_pending<B>() {
        let [slot] = slots();
        with::<B, _>(|mmu| {
            mmu.flush();
            assert_eq!(trace(), "(");
            mmu.write(&slot, KERNEL);
            mmu.flush();
            assert_eq!(trace(), "SDI");
            assert!(is_settled(&slot));
            mmu.flush();
            flush::<B>();
            assert_eq!(trace(), "", "a second flush emits nothing");
            // The functions for code without the guard do the same.
            write::<B, _>(&slot, KERNEL);
            flush::<B>();
            assert_eq!(trace(), "SDI");
        });
        assert_eq!(trace(), ")");
    }
}

thread_local!(static CHANGES: Cell<usize> = const { Cell::new(0) });

/// `Sim`, which counts the read-modify-writes of the bits.
struct Counting;
type CountingSim = Changed<Counting>;

impl Change for Counting {
    type Inner = Sim;
    type Machine = Sim;

    fn change(change: impl FnOnce()) {
        CHANGES.set(CHANGES.get() + 1);
        change();
    }
}

#[test]
fn b18_once_pending_further_stores_do_no_read_modify_write() {
    let [slot] = slots();
    with::<CountingSim, _>(|mmu| {
        assert_eq!(CHANGES.replace(0), 1, "enter sets ACTIVE");
        mmu.write(&slot, KERNEL);
        assert_eq!(CHANGES.replace(0), 1, "the first store sets PENDING");
        for _ in 0..100 {
            mmu.write(&slot, KERNEL);
            write::<CountingSim, _>(&slot, KERNEL);
            mmu.note_store();
        }
        assert_eq!(CHANGES.replace(0), 0);
    });
    // Leave clears PENDING and ACTIVE in one change.
    assert_eq!(CHANGES.replace(0), 1);
    with::<CountingSim, _>(|_| {});
    // Without a store, enter sets ACTIVE and leave clears it.
    assert_eq!(CHANGES.replace(0), 2);
}

for_both_storages! {
    fn b22_a_read_returns_what_was_last_written<B>() {
        let [slot] = slots();
        with::<B, _>(|mmu| {
            mmu.write(&slot, KERNEL);
            assert_eq!(mmu.read(&slot), KERNEL.0);
            mmu.write(&slot, USERS);
            assert_eq!(mmu.nest().read(&slot), USERS.0);
            // A read returns changes by the hardware, or by another CPU, too.
            slot.fetch_or(1 << 10, Ordering::Relaxed);
            assert_eq!(mmu.read(&slot), USERS.0 | 1 << 10);
        });
    }
}

#[test]
fn b02_stores_by_address_are_the_same() {
    let mut word = 0u64;
    let slot = &raw mut word;
    // SAFETY: the word is a local variable, which other code does not access.
    unsafe { write_ptr::<Sim, _>(slot, KERNEL) };
    with::<Sim, _>(|mmu| {
        // SAFETY: as above.
        unsafe { mmu.write_ptr(slot, USERS) };
        mmu.note_store();
    });
    assert_eq!(trace(), "SDI(SDI)");
    assert_eq!(word, USERS.0);
}

for_both_storages! {
    fn b01_a_descriptor_that_panics_is_not_stored<B>() {
        let table = slots::<1>();
        let leaf = Panicky(KERNEL.0);
        let attempts: [(&dyn Fn(), &str); 3] = [
            (&|| with::<B, _>(|mmu| mmu.write(&table[0], leaf)), "()"),
            (&|| with::<B, _>(|mmu| mmu.write_range(&table, |_| leaf)), "()"),
            (&|| write::<B, _>(&table[0], leaf), ""),
        ];
        for (attempt, expected) in attempts {
            // A store asks the descriptor for its bits, for its rule, and whether it links a table.
            for calls in 0..3 {
                assert!(panics_after(calls, attempt));
                assert_eq!((table[0].get(), &*trace()), (0, expected), "panic after {calls} calls");
            }
            assert!(!panics_after(3, attempt));
            assert_eq!(table[0].swap(0, Ordering::Relaxed), KERNEL.0);
            trace();
        }
    }

    fn b09_entries_of_a_range_count_when_it_is_done<B>() {
        let table = slots::<4>();
        with::<B, _>(|mmu| {
            mmu.write_range(&table, |i| {
                if i == 2 {
                    with::<B, _>(|_| ());
                    flush::<B>();
                }
                KERNEL
            });
        });
        assert_eq!(trace(), "(SS<>SSDI)", "leave and flush do not emit, and the end emits a pair");
    }
}

#[test]
fn b04_the_bits_are_those_of_the_architecture() {
    // Arm ARM D8.3: VALID is bit 0, AP[1] is bit 6, PXN is bit 53, and UXN is bit 54.
    for (leaf, needs, by_linux) in [
        (1 << 54 | 1, true, true),
        (1 << 53 | 1, true, false),
        (1 << 54 | 1 << 6 | 1, false, false),
        (1 << 54 | 1 << 7 | 1, true, true),
        (1 << 54 | 1 << 1, false, false),
    ] {
        assert_eq!(Leaf(leaf).needs_barrier(), needs, "{leaf:#x}");
        assert_eq!(UxnLeaf(leaf).needs_barrier(), by_linux, "{leaf:#x}");
    }
}
