//! Tests of the rule for RISC-V.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use lazy_mmu_observer::{Access, Architecture, Kind, Observer, Ram, Report, Store};

const BASE: u64 = 0x8000_0000;
/// Sv39.
const MODE: u64 = 8 << 60;
/// The last entry of a root table translates the last GiB.
const LOWEST: u64 = !0 << 30;
/// The pages of RAM: three tables, which are linked at first, one that is not, and frames.
const LEVEL_2: u64 = BASE + 0x1000;
const LEVEL_3: u64 = BASE + 0x2000;
const SPARE: u64 = BASE + 0x3000;
const FRAME: u64 = BASE + 0x4000;

/// Returns an entry with D, A, W, R and V.
fn page(frame: u64) -> u64 {
    frame >> 12 << 10 | 0b1100_0111
}

fn global(frame: u64) -> u64 {
    page(frame) | 1 << 5
}

fn table(address: u64) -> u64 {
    address >> 12 << 10 | 1
}

struct Machine {
    observer: Observer<'static>,
    words: &'static [AtomicU64],
}

impl Machine {
    fn new() -> Self {
        let words: Vec<_> = (0..16 * 512).map(|_| AtomicU64::new(0)).collect();
        let words: &[AtomicU64] = Box::leak(words.into_boxed_slice());
        let ram = Ram { base: BASE, words };
        let machine = Self {
            observer: Observer::new(Architecture::Riscv64, ram, false),
            words,
        };
        machine.word(BASE + 511 * 8).store(table(LEVEL_2), Relaxed);
        machine.word(LEVEL_2).store(table(LEVEL_3), Relaxed);
        for hart in [0, 1] {
            let reports = machine.observer.set_satp(hart, MODE | BASE >> 12, 0);
            assert_eq!(kinds(&reports), []);
            machine.all(hart);
        }
        machine
    }

    fn word(&self, address: u64) -> &AtomicU64 {
        &self.words[usize::try_from(address - BASE).expect("it is in RAM") / 8]
    }

    /// Hart 0 stores.
    fn store(&self, address: u64, value: u64) -> Vec<Kind> {
        self.word(address).store(value, Relaxed);
        let store = Store {
            pc: 0x10,
            address,
            size: 8,
            release: false,
        };
        kinds(&self.observer.store(0, store))
    }

    /// `sfence.vma x0, x0`.
    fn all(&self, hart: usize) {
        self.observer.sfence(hart, None, true, 0x20);
    }

    /// `sfence.vma address, x0`.
    fn page(&self, hart: usize, address: u64) {
        self.observer.sfence(hart, Some(address), true, 0x20);
    }

    fn read(&self, hart: usize, address: u64) -> Vec<Kind> {
        let access = Access {
            pc: 0x40,
            address,
            write: false,
        };
        kinds(&self.observer.access(hart, access))
    }
}

fn kinds(reports: &[Report]) -> Vec<Kind> {
    reports.iter().map(|it| it.kind).collect()
}

#[test]
fn a_new_mapping_needs_a_fence_of_each_hart() {
    let machine = Machine::new();
    machine.store(LEVEL_3, page(FRAME));
    assert_eq!(machine.read(0, LOWEST), [Kind::MissingSfence]);
    machine.all(0);
    assert_eq!(machine.read(0, LOWEST), []);
    assert_eq!(machine.read(1, LOWEST), [Kind::MissingFence]);
    machine.all(1);
    assert_eq!(
        machine.read(1, LOWEST),
        [Kind::MissingFence],
        "it is not ordered"
    );
    machine.observer.fence(0, 0x30);
    assert_eq!(machine.read(1, LOWEST), [Kind::MissingSfence]);
    machine.all(1);
    assert_eq!(machine.read(1, LOWEST), []);
}

#[test]
fn a_fence_of_one_address_covers_its_leaf() {
    let machine = Machine::new();
    machine.store(LEVEL_3, page(FRAME));
    machine.store(LEVEL_3 + 8, page(FRAME));
    machine.page(0, LOWEST + 0x10);
    assert_eq!(machine.read(0, LOWEST), []);
    assert_eq!(machine.read(0, LOWEST + 0x1000), [Kind::MissingSfence]);
}

#[test]
fn a_fence_of_one_address_does_not_cover_a_new_table() {
    let machine = Machine::new();
    machine.store(SPARE, page(FRAME));
    machine.observer.fence(0, 0x30);
    machine.store(LEVEL_2 + 8, table(SPARE));
    let address = LOWEST + (1 << 21);
    machine.page(0, address);
    assert_eq!(machine.read(0, address), [Kind::MissingSfence]);
    machine.all(0);
    assert_eq!(machine.read(0, address), []);
}

#[test]
fn a_fence_of_one_address_space_leaves_global_entries_alone() {
    for (entry, expected) in [
        (global(FRAME), vec![Kind::MissingSfence]),
        (page(FRAME), vec![]),
    ] {
        let machine = Machine::new();
        machine.store(LEVEL_3, entry);
        machine.observer.sfence(0, Some(LOWEST), false, 0x20);
        assert_eq!(machine.read(0, LOWEST), expected);
    }
}

#[test]
fn a_removed_mapping_needs_a_fence_of_each_hart() {
    let machine = Machine::new();
    machine.store(LEVEL_3, page(FRAME));
    machine.observer.fence(0, 0x30);
    machine.all(0);
    machine.all(1);
    machine.store(LEVEL_3, 0);
    machine.page(0, LOWEST);
    assert_eq!(machine.store(LEVEL_3 + 8, page(FRAME)), [Kind::FrameReuse]);
    machine.store(LEVEL_3 + 8, 0);
    machine.all(0);
    // Hart 1 executes the fence before the stores are ordered.
    machine.all(1);
    assert_eq!(machine.store(LEVEL_3 + 16, page(FRAME)), [Kind::FrameReuse]);
    machine.store(LEVEL_3 + 16, 0);
    machine.observer.fence(0, 0x30);
    machine.all(0);
    machine.all(1);
    assert_eq!(machine.store(LEVEL_3 + 24, page(FRAME)), []);
}

#[test]
fn svinval_covers_the_stores_before_its_first_instruction() {
    let machine = Machine::new();
    machine.store(LEVEL_3, page(FRAME));
    machine.observer.sfence_w_inval(0);
    machine.store(LEVEL_3 + 8, page(FRAME));
    machine.observer.sinval(0, Some(LOWEST), true);
    machine.observer.sinval(0, Some(LOWEST + 0x1000), true);
    assert_eq!(machine.read(0, LOWEST), [Kind::MissingSfence]);
    machine.observer.sfence_inval_ir(0);
    assert_eq!(machine.read(0, LOWEST), []);
    assert_eq!(machine.read(0, LOWEST + 0x1000), [Kind::MissingSfence]);
    // Without the first instruction, nothing is ordered.
    machine.observer.sinval(0, Some(LOWEST + 0x1000), true);
    machine.observer.sfence_inval_ir(0);
    assert_eq!(machine.read(0, LOWEST + 0x1000), [Kind::MissingSfence]);
}

#[test]
fn a_table_is_filled_before_it_is_linked() {
    let machine = Machine::new();
    machine.store(SPARE, page(FRAME));
    assert_eq!(
        machine.store(LEVEL_2 + 8, table(SPARE)),
        [Kind::UnorderedTable]
    );
    let machine = Machine::new();
    machine.store(SPARE, page(FRAME));
    machine.observer.fence(0, 0x30);
    assert_eq!(machine.store(LEVEL_2 + 8, table(SPARE)), []);
}

#[test]
fn the_lower_half_is_walked_too() {
    let machine = Machine::new();
    machine.word(SPARE).store(table(LEVEL_3), Relaxed);
    machine.observer.fence(0, 0x30);
    machine.store(BASE, table(SPARE));
    machine.all(0);
    machine.store(LEVEL_3, page(FRAME));
    assert_eq!(machine.read(0, 0), [Kind::MissingSfence]);
}
