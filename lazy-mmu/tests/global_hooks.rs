//! Rows K04 and B20 through `Global`: the registered backend's hooks, barriers and TLB instructions are called. A test
//! binary of its own, because there is one backend a program.

use std::cell::RefCell;

use lazy_mmu::descriptor::Granule;
use lazy_mmu::sim::{Flags, Sim};
use lazy_mmu::tlb::{Scope, Tlbi, VirtualRange};
use lazy_mmu::{Backend, Bits, Global, Storage as _, lazy_mmu, paused, tlb, with};

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

    fn current() -> Flags {
        Sim::current()
    }

    fn in_interrupt() -> bool {
        Sim::in_interrupt()
    }

    fn barrier() {
        call("pair");
    }

    fn table_barrier() {
        call("dsb ishst");
    }

    fn tlb_invalidate(instruction: Tlbi) {
        call(match instruction {
            Tlbi::Page {
                scope: Scope::LastLevel,
                ..
            } => "vaale1is",
            Tlbi::Page {
                scope: Scope::AllLevels,
                ..
            } => "vaae1is",
            Tlbi::Range {
                scope: Scope::LastLevel,
                ..
            } => "rvaale1is",
            Tlbi::Range {
                scope: Scope::AllLevels,
                ..
            } => "rvaae1is",
            Tlbi::All => "vmalle1is",
        });
    }

    fn tlb_barrier() {
        call("dsb ish, isb");
    }

    fn has_tlb_range() -> bool {
        true
    }

    const HAS_HOOKS: bool = true;

    fn mode_begins() {
        call("begins");
    }

    fn mode_ends() {
        // What was pending has had its pair.
        assert!(!Sim::current().load().contains(Bits::PENDING));
        call("ends");
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
fn b20_range_instructions_are_used_through_global_where_there_are_any() {
    let range = VirtualRange::new(Granule::Kib4, 0, 67).unwrap();
    tlb::flush_tlb_kernel_range::<Global>(range);
    assert_eq!(
        calls(),
        [
            "dsb ishst",
            "rvaale1is",
            "rvaale1is",
            "vaale1is",
            "dsb ish, isb"
        ]
    );
    with::<Global, _>(|mmu| {
        mmu.note_store();
        mmu.flush_tlb_kernel_pgtable(range);
        mmu.flush_tlb_all();
    });
    assert_eq!(
        calls(),
        [
            "begins",
            "dsb ishst",
            "rvaae1is",
            "rvaae1is",
            "vaae1is",
            "dsb ish, isb",
            "dsb ishst",
            "vmalle1is",
            "dsb ish, isb",
            "ends"
        ]
    );
}
