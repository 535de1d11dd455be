//! Behaviours R: the tables of RISC-V, and a machine whose invalidation does not have the effect of
//! the barrier. The unit tests of `lazy_mmu::riscv64` show the instructions.

use lazy_mmu::riscv64::Mode;
use lazy_mmu::riscv64::descriptor::{self, EveryLeaf, Leaf, Table};
use lazy_mmu::{riscv64, write_range};
use lazy_mmu_testing::prelude::{
    AtomicU64, Cell, Change, Changed, Event, Invalidation, Machine, Scope, Sim, VirtualRange, Word,
    Wrapped, Wrapper, holding, interrupt, invalidate, slots, take_trace, trace, unwinds, with,
};

const START: u64 = 0xffff_ffc0_0000_0000;
const KERNEL: Leaf = Leaf::page(0x8000_0000, descriptor::KERNEL_DATA);
const USERS: Leaf = Leaf::page(0x8000_0000, descriptor::USER_DATA);
const LINK: Table = Table::at(0x8800_0000);

/// A leaf of 2 MiB, or of another size.
fn large(level: u8) -> Leaf {
    Leaf::new(Mode::Sv57, level, 0, descriptor::KERNEL_DATA).unwrap()
}

fn pages(number: u64) -> VirtualRange {
    Mode::Sv39.range(START, number).unwrap()
}

fn entry(level: u8) -> VirtualRange {
    Mode::Sv57.entry(level, 0).unwrap()
}

/// What the machine was asked to invalidate, and whether with the effect of the barrier.
#[derive(Clone, PartialEq, Debug)]
struct Asked {
    invalidations: Vec<Invalidation>,
    with_barrier: bool,
}

thread_local! {
    static ASKED: Cell<Option<Asked>> = const { Cell::new(None) };
}

/// The simulated machine, with an invalidation that does not have the effect of the barrier.
struct Fences;

// SAFETY: the simulated machine does not walk tables.
unsafe impl Machine for Fences {
    fn barrier() {
        Sim::barrier();
    }

    fn table_barrier() {
        Sim::table_barrier();
    }

    fn invalidate(invalidations: &[Invalidation]) {
        ASKED.set(Some(Asked {
            invalidations: invalidations.to_vec(),
            with_barrier: true,
        }));
    }

    fn invalidate_only(invalidations: &[Invalidation]) {
        Self::invalidate(invalidations);
        let with_barrier = false;
        ASKED.set(ASKED.take().map(|asked| Asked {
            with_barrier,
            ..asked
        }));
    }

    fn invalidate_all() {
        Self::invalidate(&[]);
    }

    fn observe(event: lazy_mmu::Event) {
        Sim::observe(event);
    }
}

struct OnFences;
type Mmu = Changed<OnFences>;
impl Change for OnFences {
    type Inner = Sim;
    type Machine = Fences;
}

/// Returns the last request, and its range and scope if there is one.
fn asked() -> Asked {
    ASKED.take().expect("an invalidation")
}

fn only(range: VirtualRange, scope: Scope) -> Asked {
    Asked {
        invalidations: vec![Invalidation { range, scope }],
        with_barrier: false,
    }
}

#[test]
fn r07_a_section_of_kernel_pages_has_one_barrier_and_one_of_user_pages_has_none() {
    let table = slots::<512>();
    with::<Mmu, _>(|mmu| mmu.write_range(&table, |_| KERNEL));
    assert_eq!(trace(), format!("({}DI)", "S".repeat(512)));
    with::<Mmu, _>(|mmu| mmu.write_range(&table, |_| USERS));
    assert_eq!(trace(), format!("({})", "S".repeat(512)));
    with::<Mmu, _>(|mmu| mmu.write(&table[0], EveryLeaf(USERS.0)));
    assert_eq!(trace(), "(SDI)");
    with::<Mmu, _>(|mmu| mmu.write(&table[0], Leaf::INVALID));
    assert_eq!(trace(), "(S)");
    write_range::<Mmu, _>(&table[..2], |_| KERNEL);
    assert_eq!(trace(), "SSDI");
}

#[test]
fn r07_the_link_of_a_table_comes_after_its_entries() {
    let (parent, children) = (AtomicU64::new(0), slots::<3>());
    with::<Mmu, _>(|mmu| mmu.link_table(&parent, LINK, &children, |_| KERNEL));
    assert_eq!(trace(), "(SSSDSDI)");
    with::<Mmu, _>(|mmu| {
        mmu.write(&children[0], USERS);
        mmu.write(&parent, LINK);
    });
    assert_eq!(trace(), "(SDSDI)");
}

#[test]
fn r09_an_invalidation_has_the_effect_of_the_barrier_only_if_a_store_awaits_it() {
    let (slot, range, scope) = (AtomicU64::new(0), pages(1), Scope::PAGES);
    let pending = Asked {
        with_barrier: true,
        ..only(range, scope)
    };
    // Through a guard, a handle of an inner function, and without a section.
    let ways: [&dyn Fn(); 3] = [
        &|| with::<Mmu, _>(|mmu| _ = mmu.invalidate(range, scope)),
        &|| with::<Mmu, _>(|_| invalidate::<Mmu>(range, scope)),
        &|| invalidate::<Mmu>(range, scope),
    ];
    for way in ways {
        way();
        assert_eq!(asked(), only(range, scope));
        with::<Mmu, _>(|mmu| {
            mmu.write(&slot, USERS);
            way();
            assert_eq!(asked(), only(range, scope), "a user's page awaits nothing");
            mmu.write(&slot, KERNEL);
            way();
            assert_eq!(asked(), pending);
            way();
            assert_eq!(asked(), only(range, scope), "the store has its barrier");
        });
        assert_eq!(
            trace().matches('D').count(),
            0,
            "the leave has nothing to emit"
        );
    }
    with::<Mmu, _>(|mmu| {
        mmu.write(&slot, KERNEL);
        riscv64::unmap::<Mmu>(&slot, range).invalidate(mmu);
        assert!(asked().with_barrier);
        mmu.write(&slot, KERNEL);
        mmu.flush();
        drop(riscv64::unmap::<Mmu>(&slot, range));
        assert!(!asked().with_barrier);
    });
}

#[test]
fn r09_a_store_that_awaits_its_barrier_is_not_the_interrupts() {
    let (slot, range, scope) = (AtomicU64::new(0), pages(1), Scope::PAGES);
    with::<Mmu, _>(|mmu| {
        mmu.write(&slot, KERNEL);
        interrupt(|| invalidate::<Mmu>(range, scope));
        assert_eq!(asked(), only(range, scope));
        assert_eq!(trace(), "(S{}");
    });
    assert_eq!(
        trace(),
        "DI)",
        "the store of the thread still awaits its barrier"
    );
}

#[test]
fn r10_an_entry_that_is_taken_away_is_invalidated_by_what_it_was() {
    let case = |old: u64, level: u8, scope: Scope| {
        let (slot, range) = (AtomicU64::new(old), entry(level));
        let expected = only(range, scope);
        assert_eq!(riscv64::unmap::<Mmu>(&slot, range).invalidate_now(), old);
        assert_eq!((asked(), slot.get()), (expected.clone(), 0));
        slot.put(old);
        let slots = std::slice::from_ref(&slot);
        riscv64::unmap_range::<Mmu>(slots, range).invalidate_now();
        assert_eq!((asked(), slot.get()), (expected.clone(), 0));
        slot.put(old);
        let kept = riscv64::unmap_range_into::<Mmu, _>(slots, range, [0]).invalidate_now();
        assert_eq!((asked(), kept), (expected, [old]));
    };
    case(KERNEL.0, 0, Scope::leaves(12));
    for (level, shift) in [(1, 21), (2, 30), (3, 39), (4, 48)] {
        case(large(level).0, level, Scope::leaves(shift));
        case(LINK.0, level, Scope::ALL_LEVELS);
        // A swapped entry has V clear, whatever its other bits are.
        case(LINK.0 & !descriptor::VALID, level, Scope::leaves(shift));
    }
    // At level 0 the encoding of a table is reserved.
    case(LINK.0, 0, Scope::leaves(12));
    let slot = AtomicU64::new(0);
    drop(riscv64::unmap_table::<Mmu>(&slot, entry(1)));
    assert_eq!(asked(), only(entry(1), Scope::ALL_LEVELS));
    // One table among leaves is found.
    let three = [large(1).0, LINK.0, large(1).0].map(AtomicU64::new);
    drop(riscv64::unmap_range::<Mmu>(&three, pages(3 * 512)));
    assert_eq!(asked(), only(pages(3 * 512), Scope::ALL_LEVELS));
}

#[test]
fn r10_a_valid_entry_is_replaced_without_a_time_in_which_it_is_invalid() {
    let slot = AtomicU64::new(KERNEL.0);
    let other = Leaf::page(0x8100_0000, descriptor::KERNEL_READ_ONLY);
    with::<Mmu, _>(|mmu| {
        let old = riscv64::replace::<Mmu, _>(&slot, pages(1), other);
        assert_eq!(slot.get(), other.0);
        assert_eq!(old.invalidate(mmu), KERNEL.0);
    });
    assert_eq!(asked(), only(pages(1), Scope::leaves(12)));
    // One store, and the leave has nothing to emit, because the invalidation covers the new entry.
    assert_eq!(trace(), "(S)");

    // A leaf in the place of a leaf of the same size is not a table.
    let slot = AtomicU64::new(large(1).0);
    drop(riscv64::replace::<Mmu, _>(&slot, entry(1), large(1)));
    assert_eq!(asked(), only(entry(1), Scope::leaves(21)));
    assert_eq!(trace(), "S");

    // A split and its reverse concern a table. The split is ordered after the children.
    for new in [LINK.0, large(1).0] {
        drop(riscv64::replace::<Mmu, _>(&slot, entry(1), Table(new)));
        assert_eq!(asked(), only(entry(1), Scope::ALL_LEVELS));
        assert_eq!((slot.get(), trace()), (new, "DS".into()));
    }
}

#[test]
fn r10_a_new_entry_has_its_barrier_even_if_the_result_of_replace_is_forgotten() {
    for (old, new, steps) in [
        (0, KERNEL, "SDI"),
        (KERNEL.0, KERNEL, "S"),
        (0, Leaf::page(0x8000_0000, descriptor::USER_DATA), "S"),
    ] {
        let slot = AtomicU64::new(old);
        core::mem::forget(riscv64::replace::<Mmu, _>(&slot, pages(1), new));
        assert_eq!((slot.get(), trace()), (new.0, steps.into()));
    }
    let slot = AtomicU64::new(0);
    with::<Mmu, _>(|_| core::mem::forget(riscv64::replace::<Mmu, _>(&slot, pages(1), KERNEL)));
    assert_eq!(trace(), "(SDI)");
}

#[test]
fn r10_break_before_make_is_there_for_code_that_needs_it() {
    let slot = AtomicU64::new(KERNEL.0);
    let old = riscv64::break_before_make::<Mmu, _>(&slot, pages(1), |old| {
        assert_eq!((old, slot.get()), (KERNEL.0, 0));
        assert_eq!(asked(), only(pages(1), Scope::leaves(12)));
        KERNEL
    });
    assert_eq!(
        (old, slot.get(), trace()),
        (KERNEL.0, KERNEL.0, "SSDI".into())
    );
}

#[test]
fn r10_a_range_that_the_entries_do_not_translate_is_refused() {
    let slot = AtomicU64::new(KERNEL.0);
    let large_pages = VirtualRange::new(16, 0x1_0000, 1).unwrap();
    let unaligned = Mode::Sv39.range(START + 0x1000, 512).unwrap();
    for range in [pages(2), pages(0), unaligned, large_pages] {
        assert!(unwinds(|| riscv64::unmap::<Mmu>(&slot, range)));
        assert!(unwinds(|| riscv64::replace::<Mmu, _>(&slot, range, KERNEL)));
        assert_eq!((slot.get(), trace()), (KERNEL.0, String::new()));
    }
    let mut short = holding::<2>(KERNEL.0).map(AtomicU64::into_inner);
    let range = pages(2);
    assert!(unwinds(|| riscv64::unmap_range_into::<Mmu, _>(
        &mut short,
        range,
        [0]
    )));
    assert_eq!(short, [KERNEL.0; 2]);
}

#[test]
fn r10_the_linear_map_loses_a_page_and_has_it_back() {
    let table = holding::<2>(KERNEL.0);
    // The machine is told the new entry, also if V does not change.
    let (is_valid, is_not) = ((true, KERNEL.0), (false, KERNEL.0 & !descriptor::VALID));
    for (valid, value) in [is_valid, is_not, is_not, is_valid] {
        riscv64::set_memory_valid::<Mmu>(&table[..1], pages(1), valid);
        let slot = table[0].as_ptr().addr();
        assert_eq!(take_trace()[0], Event::Store { slot, value });
    }
    riscv64::set_memory_valid::<Mmu>(&table, pages(2), false);
    assert_eq!(asked(), only(pages(2), Scope::PAGES));
    assert_eq!(trace(), "SS");
    assert_eq!(table[1].get(), KERNEL.0 & !descriptor::VALID);
    // A hart may have kept the invalid entries, so the barrier is needed.
    with::<Mmu, _>(|_| riscv64::set_memory_valid::<Mmu>(&table, pages(2), true));
    assert_eq!((table[1].get(), trace()), (KERNEL.0, "(SSDI)".into()));
    riscv64::set_memory_valid::<Mmu>(&[] as &[AtomicU64], pages(0), true);
    assert_eq!(trace(), "");
    assert!(unwinds(|| riscv64::set_memory_valid::<Mmu>(
        &table,
        pages(1),
        false
    )));
    assert_eq!(table[0].get(), KERNEL.0);
}

#[test]
fn r09_a_wrapper_of_the_invalidation_sees_both_kinds() {
    struct Counting;
    // SAFETY: the inner machine does everything.
    unsafe impl Wrapper for Counting {
        type Inner = Mmu;

        fn invalidate(invalidations: &[Invalidation]) {
            Fences::invalidate(invalidations);
        }
    }
    struct Precise;
    // SAFETY: as above.
    unsafe impl Wrapper for Precise {
        type Inner = Mmu;

        fn invalidate_only(invalidations: &[Invalidation]) {
            Fences::invalidate_only(invalidations);
        }
    }
    // A wrapper that changes `invalidate` need not know of the other method.
    invalidate::<Wrapped<Counting>>(pages(1), Scope::PAGES);
    assert!(asked().with_barrier);
    invalidate::<Wrapped<Precise>>(pages(1), Scope::PAGES);
    assert!(!asked().with_barrier);
}
