//! Rows S30 and B35: code of the user's that panics, or fails, leaves no store without its pair.

use lazy_mmu_testing::prelude::*;

const PAGE: u64 = Leaf::page(0x4000_0000, KERNEL_DATA).0;
const READ_ONLY_PAGE: u64 = PAGE | READ_ONLY;

fn page(_: usize) -> Panicky {
    called();
    Panicky(PAGE)
}

type Operation<B> = (
    &'static str,
    u64,
    fn(&[AtomicU64; 16], Option<&mut dyn Section<B>>),
);

/// The operations of a section, at any level.
trait Section<B: Backend> {
    fn write(&mut self, slot: &AtomicU64);
    fn write_range(&mut self, slots: &[AtomicU64]);
    fn write_sync(&mut self, slot: &AtomicU64);
    fn set_access_flags(&mut self, slot: &AtomicU64);
    fn compare_exchange(&mut self, slot: &AtomicU64);
    fn break_before_make(&mut self, slot: &AtomicU64);
    fn link_table(&mut self, slots: &[AtomicU64]);
    fn split_block(&mut self, slots: &[AtomicU64]);
    fn note_stores(&mut self, slot: &AtomicU64);
}

impl<L: Nesting, B: Backend> Section<B> for LazyMmu<'_, L, B> {
    fn write(&mut self, slot: &AtomicU64) {
        self.write(slot, Panicky(PAGE));
    }

    fn write_range(&mut self, slots: &[AtomicU64]) {
        self.write_range(slots, page);
    }

    fn write_sync(&mut self, slot: &AtomicU64) {
        self.write_sync(slot, Panicky(PAGE));
    }

    fn set_access_flags(&mut self, slot: &AtomicU64) {
        self.set_access_flags(slot, Panicky(PAGE), 0);
    }

    fn compare_exchange(&mut self, slot: &AtomicU64) {
        let _ = self.compare_exchange(slot, Panicky(0), Panicky(PAGE));
    }

    fn break_before_make(&mut self, slot: &AtomicU64) {
        self.break_before_make(slot, entry_at(3, 0), |_| page(0));
    }

    fn link_table(&mut self, slots: &[AtomicU64]) {
        self.link_table(&slots[0], Table::INVALID, &slots[1..], page);
    }

    fn split_block(&mut self, slots: &[AtomicU64]) {
        // SAFETY: nothing walks them.
        let _ = unsafe { self.split_block(&slots[0], &slots[1..1], Table(3), |_, i| page(i)) };
    }

    fn note_stores(&mut self, slot: &AtomicU64) {
        self.note_stores(|| foreign(slot));
    }
}

/// Another crate's mapper, which may fail after its store.
fn foreign(slot: &AtomicU64) {
    called();
    slot.put(PAGE);
    execute(Event::Store {
        slot: core::ptr::from_ref(slot) as usize,
        value: PAGE,
    });
    called();
}

/// Each operation that asks the user's code; what the entries hold before it.
fn operations<B: Backend>() -> Vec<Operation<B>> {
    let in_hand: [Operation<B>; 9] = [
        ("write", 0, |t, m| m.unwrap().write(&t[0])),
        ("write_range", 0, |t, m| m.unwrap().write_range(t)),
        ("write_sync", 0, |t, m| m.unwrap().write_sync(&t[0])),
        ("set_access_flags", READ_ONLY_PAGE, |t, m| {
            m.unwrap().set_access_flags(&t[0]);
        }),
        ("compare_exchange", 0, |t, m| {
            m.unwrap().compare_exchange(&t[0]);
        }),
        ("break_before_make", PAGE, |t, m| {
            m.unwrap().break_before_make(&t[0]);
        }),
        ("link_table", 0, |t, m| m.unwrap().link_table(t)),
        ("split_block", PAGE & !2, |t, m| m.unwrap().split_block(t)),
        ("note_stores", 0, |t, m| m.unwrap().note_stores(&t[0])),
    ];
    let without: [Operation<B>; 6] = [
        ("write()", 0, |t, _| write::<B, _>(&t[0], Panicky(PAGE))),
        ("write_sync()", 0, |t, _| {
            write_sync::<B, _>(&t[0], Panicky(PAGE));
        }),
        ("set_access_flags()", READ_ONLY_PAGE, |t, _| {
            update::set_access_flags::<B, _>(&t[0], Panicky(PAGE), 0);
        }),
        ("compare_exchange()", 0, |t, _| {
            let _ = update::compare_exchange::<B, _>(&t[0], Panicky(0), Panicky(PAGE));
        }),
        (
            "the group's set_access_flags",
            READ_ONLY_PAGE | CONTIGUOUS,
            |t, _| {
                for (slot, i) in t.iter().zip(0..) {
                    slot.fetch_or(4096 * i, Ordering::Relaxed);
                }
                let group = ContiguousGroup::new(Granule::Kib4, 3, t).unwrap();
                group.set_access_flags::<B, _>(Panicky(PAGE), 0);
            },
        ),
        ("note_stores()", 0, |t, _| {
            note_stores::<B, _>(|| foreign(&t[0]));
        }),
    ];
    in_hand.into_iter().chain(without).collect()
}

for_both_storages! {
    fn s30_a_panic_at_any_call_of_the_users_code_loses_no_pair<B>() {
        // Miri takes seconds for the unwinding of a few.
        const STEP: usize = if cfg!(miri) { 16 } else { 1 };
        type Around<B> = (&'static str, fn(&[AtomicU64; 16], &Operation<B>));
        let around: [Around<B>; 4] = [
            ("in a section", |table, op| with::<B, _>(|mmu| (op.2)(table, Some(mmu)))),
            ("nested", |table, op| {
                with::<B, _>(|mmu| (op.2)(table, Some(&mut mmu.nest())));
            }),
            ("in an interrupt", |table, op| {
                interrupt(|| with::<B, _>(|mmu| (op.2)(table, Some(mmu))));
            }),
            ("outside", |table, op| {
                if op.0.contains(' ') || op.0.contains('(') {
                    (op.2)(table, None);
                }
            }),
        ];
        for op in operations::<B>() {
            for (place, run) in &around {
                for panics_at in (0..).step_by(STEP) {
                    let table = slots::<16>();
                    fill(&table, op.1);
                    let panicked = panics_after(panics_at, || run(&table, &op));
                    let what = format!("{} {place}, panic at call {panics_at}", op.0);
                    for slot in &table {
                        // (A descriptor that was cleared needs no pair; a block's children are in
                        // no walker's reach.)
                        let valid = slot.get() & VALID != 0;
                        assert!(!valid || is_settled(slot), "{what}");
                    }
                    assert_eq!(bits::<B>(), Bits::EMPTY, "{what}");
                    trace();
                    if !panicked {
                        break;
                    }
                    assert!(panics_at < 200, "{what}: it does not end");
                }
            }
        }
    }

    fn b35_a_foreign_store_is_noted_on_every_way_out<B>() {
        let [slot] = slots::<1>();
        let fails = || -> Result<(), u8> {
            foreign(&slot);
            Err(7)
        };
        assert_eq!(note_stores::<B, _>(fails), Err(7));
        assert_eq!(trace(), "SDI");
        with::<B, _>(|mmu| {
            assert_eq!(mmu.note_stores(fails), Err(7));
            assert_eq!(note_stores::<B, _>(fails), Err(7));
        });
        assert_eq!(trace(), "(SSDI)");
        interrupt(|| note_stores::<B, _>(fails).unwrap_err());
        assert_eq!(trace(), "{SDI}");
        for panics_at in 0..2 {
            let noted = || with::<B, _>(|mmu| mmu.note_stores(|| foreign(&slot)));
            assert!(panics_after(panics_at, noted));
            assert_eq!(trace(), ["(DI)", "(SDI)"][panics_at]);
            let noted = || note_stores::<B, _>(|| foreign(&slot));
            assert!(panics_after(panics_at, noted));
            assert_eq!(trace(), ["DI", "SDI"][panics_at]);
        }
    }
}
