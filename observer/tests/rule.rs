//! Tests of the rule that the litmus tests cannot express: tables of several levels, the registers,
//! several values of one entry, and the barriers on which an access relied alone.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use lazy_mmu_observer::{
    Access, Architecture, Domain, Kind, Observer, Ram, Report, Store, Tlbi, Types,
};

const BASE: u64 = 0x4000_0000;
/// T1SZ is 25, so the root table is of level 1.
const TCR: u64 = 25 << 16;
const LOWEST: u64 = !0 << 39;
/// The pages of RAM: three tables, which are linked at first, one that is not, and frames.
const LEVEL_2: u64 = BASE + 0x1000;
const LEVEL_3: u64 = BASE + 0x2000;
const SPARE: u64 = BASE + 0x3000;
const FRAME: u64 = BASE + 0x4000;
const OTHER_FRAME: u64 = BASE + 0x5000;

fn page(frame: u64) -> u64 {
    frame | 1 << 54 | 0b0111 << 8 | 0b11
}

fn read_only(frame: u64) -> u64 {
    page(frame) | 1 << 7
}

fn table(address: u64) -> u64 {
    address | 0b11
}

fn block(address: u64) -> u64 {
    page(address) & !0b10
}

struct Machine {
    observer: Observer<'static>,
    words: &'static [AtomicU64],
}

impl Machine {
    fn new() -> Self {
        let words: Vec<_> = (0..16 * 512).map(|_| AtomicU64::new(0)).collect();
        let words: &[AtomicU64] = Box::leak(words.into_boxed_slice());
        let machine = Self {
            observer: Observer::new(Architecture::Aarch64, Ram { base: BASE, words }, true),
            words,
        };
        machine.word(BASE).store(table(LEVEL_2), Relaxed);
        machine.word(LEVEL_2).store(table(LEVEL_3), Relaxed);
        for cpu in [0, 1] {
            assert!(machine.activate(cpu, BASE).is_empty());
        }
        machine
    }

    fn activate(&self, cpu: usize, root: u64) -> Vec<Report> {
        self.observer.set_tcr(cpu, TCR, 0);
        let reports = self.observer.set_ttbr1(cpu, root, 0);
        self.observer.synchronize(cpu, None);
        reports
    }

    fn word(&self, address: u64) -> &AtomicU64 {
        &self.words[usize::try_from(address - BASE).expect("it is in RAM") / 8]
    }

    /// CPU 0 stores.
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

    fn dsb(&self, types: Types) {
        self.observer.dsb(0, Domain::Shareable, types, 0x20);
    }

    fn isb(&self, cpu: usize) {
        self.observer.synchronize(cpu, Some(0x30));
    }

    fn pair(&self) {
        self.dsb(Types::Stores);
        self.isb(0);
    }

    /// CPU 0 executes `tlbi vaae1is`, or `vaale1is`.
    fn tlbi(&self, address: u64, op2: u32) {
        let operand = address >> 12 & 0xfff_ffff_ffff;
        let tlbi = Tlbi::decode(0xd508_8300 | op2 << 5, operand);
        self.observer.tlbi(0, tlbi.expect("it is a TLBI"));
    }

    fn invalidate(&self, address: u64) {
        self.dsb(Types::Stores);
        self.tlbi(address, 3);
        self.dsb(Types::All);
        self.isb(0);
    }

    fn access(&self, cpu: usize, address: u64, write: bool) -> Vec<Kind> {
        let access = Access {
            pc: 0x40,
            address,
            write,
        };
        kinds(&self.observer.access(cpu, access))
    }

    fn read(&self, address: u64) -> Vec<Kind> {
        self.access(0, address, false)
    }
}

fn kinds(reports: &[Report]) -> Vec<Kind> {
    reports.iter().map(|it| it.kind).collect()
}

#[test]
fn a_report_names_the_entry_the_access_and_the_missing_instruction() {
    let machine = Machine::new();
    machine.store(LEVEL_3 + 8, page(FRAME));
    let access = Access {
        pc: 0x40,
        address: LOWEST + 0x1000,
        write: false,
    };
    let reports = machine.observer.access(1, access);
    assert_eq!(
        reports[0].text,
        "cpu 1 reads 0xffffff8000001000 at pc 0x40, by the level 3 entry at 0x40002008, to which \
         cpu 0 stored 0x40000040004703 at pc 0x10: without a `dsb ishst` of cpu 0 after the store"
            .replace("0x40000040004703", &format!("{:#x}", page(FRAME)))
    );
}

#[test]
fn each_entry_of_a_walk_is_checked() {
    let machine = Machine::new();
    let address = LOWEST + (1 << 21);
    machine.word(SPARE).store(page(FRAME), Relaxed);
    assert_eq!(machine.store(LEVEL_2 + 8, table(SPARE)), []);
    assert_eq!(machine.read(address), [Kind::MissingDsb]);
    machine.dsb(Types::Stores);
    assert_eq!(machine.read(address), [Kind::MissingIsb]);
    machine.isb(0);
    assert_eq!(machine.read(address), []);
    assert_eq!(machine.access(1, address, false), [Kind::MissingIsb]);
    machine.isb(1);
    assert_eq!(machine.access(1, address, false), []);
}

#[test]
fn a_table_is_filled_before_it_is_linked() {
    let machine = Machine::new();
    assert_eq!(machine.store(SPARE, page(FRAME)), []);
    assert_eq!(
        machine.store(LEVEL_2 + 8, table(SPARE)),
        [Kind::UnorderedTable]
    );
    let machine = Machine::new();
    machine.store(SPARE, page(FRAME));
    machine.observer.dmb(0, Types::Loads);
    assert_eq!(
        machine.store(LEVEL_2 + 8, table(SPARE)),
        [Kind::UnorderedTable]
    );
    let machine = Machine::new();
    machine.store(SPARE, page(FRAME));
    machine.observer.dmb(0, Types::Stores);
    assert_eq!(machine.store(LEVEL_2 + 8, table(SPARE)), []);
}

#[test]
fn a_root_table_is_ordered_too() {
    let machine = Machine::new();
    machine.store(SPARE, 0);
    let reports = machine.activate(0, SPARE);
    assert_eq!(kinds(&reports), [Kind::UnorderedTable]);
}

#[test]
fn an_unlinked_table_is_reused_only_after_an_invalidation_of_all_levels() {
    for (op2, expected) in [(3, vec![]), (7, vec![Kind::TableReuse])] {
        let machine = Machine::new();
        machine.store(LEVEL_2, 0);
        assert_eq!(machine.store(LEVEL_3 + 16, 0), [], "it may be cleared");
        machine.dsb(Types::Stores);
        machine.tlbi(LOWEST, op2);
        machine.dsb(Types::All);
        assert_eq!(machine.store(LEVEL_3 + 8, 1), expected);
    }
}

#[test]
fn a_frame_is_mapped_again_only_after_an_invalidation() {
    let machine = Machine::new();
    machine.store(LEVEL_3, page(FRAME));
    machine.pair();
    machine.store(LEVEL_3, 0);
    assert_eq!(machine.store(LEVEL_3 + 8, page(FRAME)), [Kind::FrameReuse]);
    machine.store(LEVEL_3 + 8, 0);
    machine.invalidate(LOWEST);
    machine.invalidate(LOWEST + 0x1000);
    assert_eq!(machine.store(LEVEL_3 + 16, page(FRAME)), []);
}

#[test]
fn a_frame_may_have_two_addresses() {
    let machine = Machine::new();
    machine.store(LEVEL_3, page(FRAME));
    assert_eq!(machine.store(LEVEL_3 + 8, page(FRAME)), []);
    // The permissions of one change, and it still maps the frame.
    machine.store(LEVEL_3, read_only(FRAME));
    assert_eq!(machine.store(LEVEL_3 + 16, page(FRAME)), []);
}

#[test]
fn a_change_of_permissions_matters_to_the_accesses_that_it_concerns() {
    let machine = Machine::new();
    machine.store(LEVEL_3, read_only(FRAME));
    machine.pair();
    assert_eq!(machine.store(LEVEL_3, page(FRAME)), []);
    assert_eq!(machine.read(LOWEST), [], "both values permit it");
    assert_eq!(
        machine.access(0, LOWEST, true),
        [Kind::MissingDsb, Kind::StaleTranslation]
    );
    machine.invalidate(LOWEST);
    assert_eq!(machine.access(0, LOWEST, true), []);
}

#[test]
fn break_before_make() {
    for (old, new, expected) in [
        (page(FRAME), page(OTHER_FRAME), true),
        (page(FRAME), page(FRAME) | 1 << 2, true),
        (page(FRAME), page(FRAME) | 1 << 52, true),
        (page(FRAME) | 1 << 11, page(FRAME), true),
        (page(FRAME), page(FRAME) | 1 << 11, false),
        (page(FRAME), read_only(FRAME), false),
        (page(FRAME), 0, false),
    ] {
        let machine = Machine::new();
        machine.store(LEVEL_3, old);
        machine.pair();
        let expected = Vec::from_iter(expected.then_some(Kind::BreakBeforeMake));
        assert_eq!(machine.store(LEVEL_3, new), expected, "{old:#x} {new:#x}");
    }
    let machine = Machine::new();
    machine.store(LEVEL_2 + 8, block(BASE & !0x1f_ffff));
    machine.pair();
    assert_eq!(
        machine.store(LEVEL_2 + 8, table(SPARE)),
        [Kind::BreakBeforeMake]
    );
}

#[test]
fn an_access_through_a_removed_entry_needs_an_explanation() {
    let machine = Machine::new();
    machine.store(LEVEL_3, page(FRAME));
    machine.pair();
    machine.store(LEVEL_3, 0);
    assert_eq!(machine.read(LOWEST), [Kind::StaleTranslation]);
    machine.dsb(Types::Stores);
    machine.tlbi(LOWEST, 7);
    machine.dsb(Types::All);
    assert_eq!(machine.read(LOWEST), [Kind::MissingIsb]);
    assert_eq!(machine.access(1, LOWEST, false), [Kind::MissedStore]);
    machine.isb(0);
    assert_eq!(machine.read(LOWEST), [Kind::MissedStore]);
}

#[test]
fn tables_that_no_cpu_walks_are_no_longer_watched() {
    let machine = Machine::new();
    let changes = machine.observer.changes();
    machine.activate(0, SPARE);
    machine.store(LEVEL_3, page(FRAME));
    assert_eq!(machine.observer.changes(), changes + 1, "CPU 1 walks them");
    machine.activate(1, SPARE);
    machine.store(LEVEL_3 + 8, page(FRAME));
    assert_eq!(machine.observer.changes(), changes + 1);
}

#[test]
fn a_kernel_that_sets_tcr_last_is_watched_too() {
    let machine = Machine::new();
    let observer = &machine.observer;
    observer.set_ttbr1(2, BASE, 0);
    observer.set_tcr(2, TCR, 0);
    observer.synchronize(2, None);
    machine.store(LEVEL_3, page(FRAME));
    assert_eq!(machine.access(2, LOWEST, false), [Kind::MissingDsb]);
}

#[test]
fn barriers_on_which_an_access_relied_alone_are_counted() {
    let machine = Machine::new();
    machine.store(LEVEL_3, page(FRAME));
    machine.pair();
    machine.read(LOWEST);
    machine.read(LOWEST);
    let relied = machine.observer.relied();
    assert_eq!((relied[&0x20], relied[&0x30]), (2, 2));
    machine.pair();
    machine.read(LOWEST);
    assert_eq!(machine.observer.relied(), relied, "either pair would do");
}

#[test]
fn a_dsb_of_the_cpu_alone_does_not_complete_a_store_for_others() {
    let machine = Machine::new();
    machine.store(LEVEL_3, page(FRAME));
    let observer = &machine.observer;
    observer.dsb(0, Domain::NonShareable, Types::Stores, 0x20);
    machine.isb(0);
    machine.isb(1);
    assert_eq!(machine.read(LOWEST), []);
    assert_eq!(machine.access(1, LOWEST, false), [Kind::MissingDsb]);
}

#[test]
fn a_new_user_mapping_needs_no_barrier() {
    let machine = Machine::new();
    machine.store(LEVEL_3, page(FRAME) | 1 << 6);
    assert_eq!(machine.read(LOWEST), []);
}

#[test]
fn two_changes_without_a_barrier_hide_the_first_value() {
    let machine = Machine::new();
    machine.store(LEVEL_3, read_only(FRAME));
    machine.store(LEVEL_3, page(FRAME));
    assert_eq!(machine.read(LOWEST), [Kind::MissingDsb]);
}

#[test]
fn a_store_release_orders_the_table_that_it_links() {
    let machine = Machine::new();
    machine.store(SPARE, page(FRAME));
    let address = LEVEL_2 + 8;
    machine.word(address).store(table(SPARE), Relaxed);
    let store = Store {
        pc: 0x10,
        address,
        size: 8,
        release: true,
    };
    assert_eq!(machine.observer.store(0, store), []);
}

#[test]
fn a_store_release_orders_a_table_that_another_cpu_links() {
    let link = |releasing: bool, linking: usize| {
        let machine = Machine::new();
        machine.store(SPARE, page(FRAME));
        let store = |cpu, address, release| {
            let store = Store {
                pc: 0x10,
                address,
                size: 8,
                release,
            };
            kinds(&machine.observer.store(cpu, store))
        };
        assert_eq!(store(0, FRAME, releasing), []);
        let address = LEVEL_2 + 8;
        machine.word(address).store(table(SPARE), Relaxed);
        store(linking, address, false)
    };
    assert_eq!(link(true, 1), []);
    assert_eq!(link(false, 1), [Kind::UnorderedTable]);
    assert_eq!(link(true, 0), [Kind::UnorderedTable]);
}
