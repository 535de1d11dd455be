//! Rows K04 and B20 through `Global`: the registered backend's hooks, barriers and invalidations
//! are called. A test binary of its own, because there is one backend a program.

use std::cell::RefCell;

use lazy_mmu_testing::prelude::*;

thread_local! {
    static CALLS: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) };
}

fn call(name: &'static str) {
    CALLS.with_borrow_mut(|calls| calls.push(name));
}

fn calls() -> Vec<&'static str> {
    CALLS.take()
}

/// Notes what it is asked for.
struct Noting;

// SAFETY: the bits and the interrupts are `Sim`'s; nothing walks the tables.
unsafe impl Backend for Noting {
    type Storage = Flags;
    type Machine = Self;

    fn current() -> Flags {
        Sim::current()
    }

    fn in_interrupt() -> bool {
        Sim::in_interrupt()
    }

    const HAS_HOOKS: bool = true;

    fn mode_begins() {
        call("begins");
    }

    fn mode_ends() {
        assert!(!is_pending::<Sim>(), "what was pending has had its pair");
        call("ends");
    }
}

// SAFETY: nothing walks the tables.
unsafe impl Machine for Noting {
    fn barrier() {
        call("pair");
    }

    fn table_barrier() {
        call("table barrier");
    }

    fn invalidate(invalidations: &[Invalidation]) {
        for it in invalidations {
            call(if it.scope.all_levels() {
                "all levels"
            } else {
                "leaves"
            });
        }
        call("invalidated");
    }

    fn invalidate_all() {
        call("everything");
    }
}

lazy_mmu::set_global_backend!(Noting);

#[test]
fn k04_the_hooks_are_called_through_global() {
    #[lazy_mmu(mmu)]
    fn library() {
        mmu.note_store();
        paused::<Global, _>(|| call("paused"));
        mmu.note_store();
    }
    library();
    assert_eq!(
        calls(),
        ["begins", "pair", "ends", "paused", "begins", "pair", "ends"]
    );
}

#[test]
fn b20_the_registered_machine_invalidates() {
    let range = Granule::Kib4.range(0, 67).unwrap();
    lazy_mmu::flush_tlb_kernel_range::<Global>(range);
    assert_eq!(calls(), ["leaves", "invalidated"]);
    with::<Global, _>(|mmu| {
        mmu.note_store();
        mmu.flush_tlb_kernel_pgtable(range);
        mmu.flush_tlb_all();
    });
    assert_eq!(
        calls(),
        ["begins", "all levels", "invalidated", "everything", "ends"]
    );
    let ([parent], child) = (slots(), slots::<1>());
    link_table::<Global, _>(&parent, LINK, &child, |_| Leaf::INVALID);
    assert_eq!(calls(), ["table barrier", "pair"]);
}
