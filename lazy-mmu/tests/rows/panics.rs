//! Behaviours S30 and B35: each store gets its pair, also if the user's code panics or fails.

use lazy_mmu_testing::prelude::*;

const PAGE: u64 = Leaf::page(0x4000_0000, KERNEL_DATA).0;
const READ_ONLY_PAGE: u64 = PAGE | READ_ONLY;

fn page(_: usize) -> Panicky {
    called();
    Panicky(PAGE)
}

/// The mapper of another crate, which may fail after its store.
fn foreign(slot: &AtomicU64) {
    called();
    slot.put(PAGE);
    execute(Event::Store {
        slot: core::ptr::from_ref(slot) as usize,
        value: PAGE,
    });
    called();
}

/// The operations that call the user's code, with the values of the entries before them. A name
/// with `()` is a function for code without the guard.
const OPERATIONS: [(&str, u64); 15] = [
    ("write", 0),
    ("write_range", 0),
    ("write_sync", 0),
    ("set_access_flags", READ_ONLY_PAGE),
    ("compare_exchange", 0),
    ("break_before_make", PAGE),
    ("link_table", 0),
    ("split_block", PAGE & !2),
    ("note_stores", 0),
    ("write()", 0),
    ("write_sync()", 0),
    ("set_access_flags()", READ_ONLY_PAGE),
    ("compare_exchange()", 0),
    ("note_stores()", 0),
    (
        "the group's set_access_flags()",
        READ_ONLY_PAGE | CONTIGUOUS,
    ),
];

/// Runs an operation on a section.
fn in_hand<L: Nesting, B: Backend>(
    name: &str,
    mmu: &mut LazyMmu<'_, L, B>,
    slots: &[AtomicU64; 16],
) {
    let (slot, leaf) = (&slots[0], Panicky(PAGE));
    match name {
        "write" => mmu.write(slot, leaf),
        "write_range" => mmu.write_range(slots, page),
        "write_sync" => {
            mmu.write_sync(slot, leaf);
        }
        "set_access_flags" => {
            mmu.set_access_flags(slot, leaf, 0);
        }
        "compare_exchange" => {
            let _ = mmu.compare_exchange(slot, Panicky(0), leaf);
        }
        "break_before_make" => {
            mmu.break_before_make(slot, range(1), |_| page(0));
        }
        "link_table" => mmu.link_table(slot, Table::INVALID, &slots[1..], page),
        "split_block" => {
            // SAFETY: the simulated machine does not walk tables.
            let _ = unsafe { mmu.split_block(slot, &slots[1..1], Table(3), |_, i| page(i)) };
        }
        "note_stores" => mmu.note_stores(|| foreign(slot)),
        _ => without::<B>(name, slots),
    }
}

/// Runs an operation for code without the guard. It ignores the names of other operations.
fn without<B: Backend>(name: &str, slots: &[AtomicU64; 16]) {
    let (slot, leaf) = (&slots[0], Panicky(PAGE));
    match name {
        "write()" => write::<B, _>(slot, leaf),
        "write_sync()" => write_sync::<B, _>(slot, leaf),
        "set_access_flags()" => {
            update::set_access_flags::<B, _>(slot, leaf, 0);
        }
        "compare_exchange()" => {
            let _ = update::compare_exchange::<B, _>(slot, Panicky(0), leaf);
        }
        "note_stores()" => note_stores::<B, _>(|| foreign(slot)),
        "the group's set_access_flags()" => {
            for (slot, i) in slots.iter().zip(0..) {
                slot.fetch_or(4096 * i, Ordering::Relaxed);
            }
            let group = ContiguousGroup::new(Granule::Kib4, 3, slots).unwrap();
            group.set_access_flags::<B, _>(leaf, 0);
        }
        _ => assert!(!name.contains("()"), "unknown operation: {name}"),
    }
}

for_both_storages! {
    fn s30_a_panic_at_any_call_of_the_users_code_loses_no_pair<B>() {
        // Miri takes seconds to unwind a few panics.
        const STEP: usize = if cfg!(miri) { 16 } else { 1 };
        type Around = (&'static str, fn(&str, &[AtomicU64; 16]));
        let around: [Around; 4] = [
            ("in a section", |op, table| with::<B, _>(|mmu| in_hand(op, mmu, table))),
            ("nested", |op, table| with::<B, _>(|mmu| in_hand(op, &mut mmu.nest(), table))),
            ("in an interrupt", |op, table| {
                interrupt(|| with::<B, _>(|mmu| in_hand(op, mmu, table)));
            }),
            ("outside", without::<B>),
        ];
        for (op, before) in OPERATIONS {
            for (place, run) in &around {
                for panics_at in (0..).step_by(STEP) {
                    let table = holding::<16>(before);
                    let panicked = panics_after(panics_at, || run(op, &table));
                    let what = format!("{op} {place}, panic at call {panics_at}");
                    for slot in &table {
                        // A cleared descriptor does not need a pair.
                        let valid = slot.get() & VALID != 0;
                        assert!(!valid || is_settled(slot), "{what}");
                    }
                    assert_eq!(bits::<B>(), Bits::EMPTY, "{what}");
                    trace();
                    if !panicked {
                        break;
                    }
                    assert!(panics_at < 200, "{what}: the calls do not end");
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
