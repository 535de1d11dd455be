//! Row K10: the code that changes live tables fills those that no walker reaches, and those of
//! machines that need no barrier.

use lazy_mmu_testing::prelude::*;

/// The tables of these tests.
struct Tables;

// SAFETY: nothing walks them.
unsafe impl NoWalker for Tables {}

/// A section of the tables that no walker reaches.
fn unreached<R>(f: impl FnOnce(&mut LazyMmu<'_, Dynamic, Unreached<Tables>>) -> R) -> R {
    with::<Unreached<Tables>, _>(f)
}

/// A walker that uses whatever a section has, and code that takes only the backend from it.
fn walk<L: Nesting, B: Backend>(
    mmu: &mut LazyMmu<'_, L, B>,
    parent: &AtomicU64,
    table: &[AtomicU64; 4],
) {
    mmu.link_table(parent, LINK, table, page);
    mmu.write(&table[0], KERNEL);
    mmu.write_range(&table[1..], page);
    mmu.nest().write(&table[0], KERNEL);
    mmu.flush();
    mmu.write_sync(&table[0], KERNEL);
    mmu.write_pending(&table[0], KERNEL, ()).get(&mmu.flush());
    mmu.compare_exchange(&table[0], KERNEL, Leaf::INVALID)
        .expect("it was written");
    mmu.set_memory_valid(table, range(4), true);
    mmu.set_memory_valid(table, range(4), false);
    mmu.paused(|| write::<B, _>(&table[0], KERNEL));
    mmu.unmap(&table[0], range(1)).invalidate(mmu);
    drop(mmu.unmap_range(table, range(4)));
    mmu.flush_tlb_all();
    with::<B, _>(|inner| inner.write_range(table, page));
    without::<B>(&table[0]);
}

fn without<B: Backend>(slot: &AtomicU64) {
    write::<B, _>(slot, KERNEL);
    flush::<B>();
    invalidate::<B>(range(1), Scope::PAGES);
    update::set_wrprotect::<B>(slot, 0);
    write::<B, _>(slot, KERNEL);
}

fn assert_walked(parent: &AtomicU64, table: &[AtomicU64; 4]) {
    assert_eq!(values(table), [KERNEL.0, page(1).0, page(2).0, page(3).0]);
    assert_eq!(parent.get(), LINK.0);
}

for_both_storages! {
    fn k10_tables_that_no_walker_reaches_are_filled_without_a_barrier<B>() {
        let ([parent], table) = (slots(), slots::<4>());
        unreached(|mmu| walk(mmu, &parent, &table));
        assert_eq!(trace(), "", "nothing is executed");
        assert_walked(&parent, &table);
        // The same code on live tables, and they come out the same.
        let ([parent], table) = (slots(), slots::<4>());
        with::<B, _>(|mmu| walk(mmu, &parent, &table));
        assert!(table.iter().all(is_settled) && is_settled(&parent));
        let trace = trace();
        assert!(trace.matches("DI").count() >= 5 && trace.matches("dRdI").count() == 5, "{trace}");
        assert_walked(&parent, &table);
    }

    fn k10_the_link_that_follows_orders_the_stores<B>() {
        let ([parent, root], table) = (slots(), slots::<4>());
        let fill = || unreached(|mmu| mmu.write_range(&table, page));
        fill();
        write::<B, _>(&parent, LINK);
        assert_eq!(trace(), "DSDI", "outside of a section");
        with::<B, _>(|mmu| {
            fill();
            mmu.write(&parent, LINK);
            fill();
            mmu.write(&root, TopLevel::at(0x4900_0000));
        });
        assert_eq!(trace(), "(DSDSDI)", "each link, though a store is pending");
    }

    fn k10_the_threads_own_section_stays_as_it_is<B>() {
        let [live, own] = slots();
        let boot = || {
            unreached(|mmu| {
                mmu.write(&own, KERNEL);
                mmu.flush_tlb_all();
                mmu.nest().write(&own, KERNEL);
            });
        };
        with::<B, _>(|mmu| {
            boot();
            assert!(!is_pending::<B>(), "its stores await nothing");
            mmu.write(&live, KERNEL);
            boot();
            assert!(is_pending::<B>(), "and settle nothing");
            mmu.paused(boot);
        });
        interrupt(boot);
        assert_eq!(trace(), "(SDI|/){}");
        unreached(|_| assert!(!is_active::<B>() && bits::<B>() == Bits::EMPTY));
        interrupt(|| assert!(!Unreached::<Tables>::in_interrupt(), "it would change nothing"));
    }
}

thread_local! {
    /// The invalidations of [`X`], and how often it was to invalidate everything.
    static SHOT_DOWN: Cell<(Vec<Invalidation>, usize)> = const { Cell::new((Vec::new(), 0)) };
}

/// A machine on which making an entry valid needs no barrier.
struct X;

// SAFETY: nothing walks the tables.
unsafe impl Machine for X {
    fn barrier() {}

    fn table_barrier() {}

    fn invalidate(invalidations: &[Invalidation]) {
        let (mut all, everything) = SHOT_DOWN.take();
        all.extend(invalidations);
        SHOT_DOWN.set((all, everything));
    }

    fn invalidate_all() {
        let (all, everything) = SHOT_DOWN.take();
        SHOT_DOWN.set((all, everything + 1));
    }
}

#[test]
fn k10_a_machine_that_needs_no_barrier_only_invalidates() {
    let ([parent], table) = (slots(), slots::<4>());
    with::<Eager<X>, _>(|mmu| walk(mmu, &parent, &table));
    assert_walked(&parent, &table);
    let leaves = |pages, scope| Invalidation {
        range: range(pages),
        scope,
    };
    let expected = [
        leaves(4, Scope::PAGES),
        leaves(1, Scope::leaves(12)),
        leaves(4, Scope::leaves(12)),
        leaves(1, Scope::PAGES),
    ];
    let (all, everything) = SHOT_DOWN.take();
    assert_eq!(all, expected);
    assert_eq!(everything, 1);
    assert_eq!(
        trace(),
        "",
        "the simulated machine has nothing to do with it"
    );
    assert_eq!(
        (bits::<Sim>(), size_of::<<Eager<X> as Backend>::Storage>()),
        (Bits::EMPTY, 0)
    );
}
