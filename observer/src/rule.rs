//! The rule: which accesses are allowed after which instructions.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{
    AtomicBool, AtomicU8, AtomicU64, AtomicUsize,
    Ordering::{Relaxed, Release, SeqCst},
};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::descriptor::{Descriptor, span};
use crate::{Kind, Report, Tlbi};

/// The number of CPUs that an observer can tell apart.
pub const CPUS: usize = 8;

/// The memory of the machine: `words` begin at the physical address `base`.
#[derive(Clone, Copy, Debug)]
pub struct Ram<'a> {
    /// The physical address of the first word.
    pub base: u64,
    /// The words, which the machine changes.
    pub words: &'a [AtomicU64],
}

impl Ram<'_> {
    fn word(self, address: u64) -> Option<u64> {
        let offset = usize::try_from(address.checked_sub(self.base)?).ok()?;
        Some(self.words.get(offset / 8)?.load(SeqCst))
    }

    fn page(self, address: u64) -> Option<usize> {
        let offset = usize::try_from(address.checked_sub(self.base)?).ok()?;
        (offset / 8 < self.words.len()).then_some(offset >> 12)
    }
}

/// An access by an address that TTBR1 translates. The machine has made it without a fault.
#[derive(Clone, Copy, Debug)]
pub struct Access {
    /// The address of the instruction.
    pub pc: u64,
    /// The virtual address.
    pub address: u64,
    /// Whether the instruction writes.
    pub write: bool,
}

/// A store, after the machine has changed its memory.
#[derive(Clone, Copy, Debug)]
pub struct Store {
    /// The address of the instruction.
    pub pc: u64,
    /// The physical address.
    pub address: u64,
    /// The number of bytes.
    pub size: u64,
    /// Whether the instruction is a store-release.
    pub release: bool,
}

/// The shareability domain of a barrier.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Domain {
    /// `nsh`: the CPU itself.
    NonShareable,
    /// `ish`, `osh` and `sy`: all CPUs.
    Shareable,
}

/// The accesses that a barrier orders.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Types {
    /// Loads before it (`ishld`).
    Loads,
    /// Stores (`ishst`).
    Stores,
    /// Loads, stores and TLB invalidations (`ish`).
    All,
}

/// A moment in the order of all barriers of the machine. The first is 1.
type Time = u64;

/// A set of CPUs, one bit each.
type Cpus = u8;
const ALL_CPUS: Cpus = !0;

/// What a page of RAM is.
const OTHER: u8 = 0;
const TABLE: u8 = 1;
/// The page was a table, and a TLB may still refer to it.
const FORMER_TABLE: u8 = 2;

#[derive(Default)]
struct Page {
    is: AtomicU8,
    /// The last store: its CPU in bits 7:0, and the number of that CPU's barriers before it above.
    last_store: AtomicU64,
}

#[derive(Default)]
struct Cpu {
    /// The last context synchronization event, and the one before it.
    synchronized: AtomicU64,
    synchronized_before: AtomicU64,
    /// The number of barriers that order stores, and 1.
    barriers: AtomicU64,
    /// Whether this CPU has completed an invalidation, and has not executed an `isb` since.
    owes_isb: AtomicBool,
    /// The last `dsb` that orders stores: its time and its address.
    last_dsb_at: AtomicU64,
    last_dsb: AtomicU64,
    /// The address of the last `isb`, or 0 if another event was later.
    last_isb: AtomicU64,
}

/// An observer of a machine whose CPUs share their tables, or switch them by TTBR1.
///
/// The methods get what a CPU executes. Several threads may call them, each for one CPU.
pub struct Observer<'a> {
    ram: Ram<'a>,
    pages: Box<[Page]>,
    cpus: [Cpu; CPUS],
    clock: AtomicU64,
    /// The last time that an entry was completed.
    last_completion: AtomicU64,
    /// The number of entries, translations and invalidations that await an instruction. While it is
    /// 0, an access need not be looked at.
    unsettled: AtomicUsize,
    /// Whether to count the accesses that relied on a barrier alone.
    coverage: bool,
    state: Mutex<State>,
}

impl fmt::Debug for Observer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observer").finish_non_exhaustive()
    }
}

#[derive(Default)]
struct State {
    registers: [Registers; CPUS],
    tables: HashMap<u64, Table>,
    /// For each CPU, the entries that it has stored, and that some CPU's walk may not find.
    incomplete: [Vec<(u64, usize)>; CPUS],
    old: Vec<Old>,
    done: Vec<Done>,
    /// By the address of the barrier: the number of accesses that relied on it alone.
    relied: HashMap<u64, u64>,
    changes: u64,
}

#[derive(Clone, Copy, Default)]
struct Registers {
    ttbr1: u64,
    tcr: u64,
}

impl Registers {
    /// Returns the address of the root table, if walks are enabled (TCR_EL1.EPD1 is 0).
    fn root(self) -> Option<u64> {
        (self.ttbr1 != 0 && self.tcr >> 23 & 1 == 0).then_some(self.ttbr1 & 0x0000_ffff_ffff_f000)
    }

    /// Returns T1SZ, bits 21:16. If the observer has not seen its value, 48 bits are
    /// translated.
    fn t1sz(self) -> u32 {
        match self.tcr {
            0 => 16,
            tcr => u32::try_from(tcr >> 16 & 0x3f).unwrap_or(16),
        }
    }

    /// Returns the level of the root table.
    fn start(self) -> u32 {
        match self.t1sz() {
            ..=24 => 0,
            25..=33 => 1,
            _ => 2,
        }
    }

    /// Returns the root table, its level, and the lowest address that it translates.
    fn walk(self) -> Option<(u64, u32, u64)> {
        Some((self.root()?, self.start(), !0 << (64 - self.t1sz())))
    }

    /// Returns TCR_EL1.HA: hardware manages the Access flag.
    fn hardware(self) -> bool {
        self.tcr >> 39 & 1 != 0
    }
}

struct Table {
    level: u32,
    /// The lowest virtual address that it translates.
    address: u64,
    entries: Vec<Entry>,
}

#[derive(Clone, Copy)]
struct Entry {
    bits: u64,
    /// The value that each walk found before the last store, or 0 if that is not known.
    before: u64,
    by: usize,
    pc: u64,
    /// The time from which a walk of the storing CPU finds it, and a walk of each CPU.
    local: Option<Time>,
    complete: Option<Time>,
}

impl Entry {
    /// An entry that was there before its table was linked.
    fn old(bits: u64) -> Self {
        Self {
            bits,
            before: bits,
            by: 0,
            pc: 0,
            local: Some(0),
            complete: Some(0),
        }
    }
}

/// A translation or a reference to a table that TLBs may hold although its entry has changed.
#[derive(Clone)]
struct Old {
    descriptor: Descriptor,
    address: u64,
    by: usize,
    pc: u64,
    /// The CPUs whose TLBs may hold it.
    holders: Cpus,
    /// The CPUs whose walks no longer find it.
    complete_for: Cpus,
    /// The CPUs that have executed a TLBI for it, which a `dsb` completes.
    local: Cpus,
    broadcast: Cpus,
}

/// Returns the index of the entry that translates `address` in a table of this level.
fn index(address: u64, level: u32) -> usize {
    let index = address / span(level) % 512;
    usize::try_from(index).unwrap_or(0)
}

impl Old {
    fn covers(&self, address: u64) -> bool {
        address.wrapping_sub(self.address) < span(self.descriptor.level)
    }

    /// Names the instruction that is missing.
    fn missing(&self) -> String {
        let by = self.by;
        if self.complete_for != ALL_CPUS {
            format!("a `dsb ishst` of cpu {by} after that store, and then a TLBI")
        } else if self.local | self.broadcast == 0 {
            "a TLBI for that address, after the `dsb`".into()
        } else if self.broadcast == 0 {
            "a TLBI that reaches the other CPUs".into()
        } else {
            let by = self.broadcast.trailing_zeros();
            format!("a `dsb ish` of cpu {by} after the TLBI")
        }
    }
}

/// An invalidation that is complete, on the CPU that executed it. That CPU may have fetched its
/// next instructions before, and needs an `isb`.
struct Done {
    cpu: usize,
    old: Old,
}

impl<'a> Observer<'a> {
    /// Returns an observer of a machine that has executed nothing. With `coverage`, it counts the
    /// accesses that rely on one barrier alone, which is slower.
    pub fn new(ram: Ram<'a>, coverage: bool) -> Self {
        let pages = (ram.words.len() * 8).div_ceil(4096);
        let observer = Self {
            ram,
            pages: (0..pages).map(|_| Page::default()).collect(),
            cpus: Default::default(),
            clock: AtomicU64::new(0),
            last_completion: AtomicU64::new(0),
            unsettled: AtomicUsize::new(0),
            coverage,
            state: Mutex::default(),
        };
        for cpu in &observer.cpus {
            cpu.barriers.store(1, SeqCst);
        }
        observer
    }

    /// The CPU `cpu` has made an access.
    pub fn access(&self, cpu: usize, access: Access) -> Vec<Report> {
        let is_settled = self.unsettled.load(SeqCst) == 0;
        let synchronized = self.cpus[cpu].synchronized.load(SeqCst);
        if is_settled && !self.coverage && synchronized > self.last_completion.load(SeqCst) {
            return Vec::new();
        }
        self.state().access(self, cpu, access)
    }

    /// The CPU `cpu` has stored to memory.
    pub fn store(&self, cpu: usize, store: Store) -> Vec<Report> {
        let Some(page) = self.page(store.address) else {
            return Vec::new();
        };
        // Only this CPU changes the number.
        let barriers = self.cpus[cpu].barriers.load(Relaxed);
        page.last_store.store(barriers << 8 | cpu as u64, Release);
        match page.is.load(SeqCst) {
            TABLE => {
                let mut state = self.state();
                let words = (store.address & !7..store.address + store.size).step_by(8);
                let reports = words.flat_map(|it| state.change(self, cpu, it, store));
                let reports = reports.collect();
                state.count_unsettled(self);
                reports
            }
            FORMER_TABLE => self.state().reuse_table(self, cpu, store),
            _ => Vec::new(),
        }
    }

    /// The CPU executes `dmb`.
    pub fn dmb(&self, cpu: usize, types: Types) {
        if types != Types::Loads {
            self.cpus[cpu].barriers.fetch_add(1, SeqCst);
        }
    }

    /// The CPU executes the `dsb` at `pc`.
    pub fn dsb(&self, cpu: usize, domain: Domain, types: Types, pc: u64) {
        self.dmb(cpu, types);
        if types != Types::Loads {
            self.cpus[cpu].last_dsb.store(pc, SeqCst);
            self.state().dsb(self, cpu, domain, types);
        }
    }

    /// The CPU executes an `isb`, takes an exception or returns from one: a context synchronization
    /// event. `pc` is the address of the `isb`.
    pub fn synchronize(&self, cpu: usize, isb: Option<u64>) {
        let now = self.now();
        let this = &self.cpus[cpu];
        this.last_isb.store(isb.unwrap_or(0), SeqCst);
        let before = this.synchronized.swap(now, SeqCst);
        this.synchronized_before.store(before, SeqCst);
        if this.owes_isb.swap(false, SeqCst) {
            let mut state = self.state();
            state.done.retain(|it| it.cpu != cpu);
            state.count_unsettled(self);
        }
    }

    /// The CPU executes a TLB invalidation.
    pub fn tlbi(&self, cpu: usize, tlbi: Tlbi) {
        let this = 1 << cpu;
        for old in &mut self.state().old {
            if !tlbi.covers(old.descriptor, old.address) || old.complete_for & this == 0 {
                continue;
            }
            // A TLBI before the store is complete is of no use: a walk may find the entry again.
            if tlbi.is_broadcast && old.complete_for == ALL_CPUS {
                old.broadcast |= this;
            } else {
                old.local |= this;
            }
        }
    }

    /// The CPU writes TTBR1_EL1.
    pub fn set_ttbr1(&self, cpu: usize, value: u64, pc: u64) -> Vec<Report> {
        self.state()
            .change_registers(self, cpu, pc, |it| it.ttbr1 = value)
    }

    /// The CPU writes TCR_EL1.
    pub fn set_tcr(&self, cpu: usize, value: u64, pc: u64) -> Vec<Report> {
        self.state()
            .change_registers(self, cpu, pc, |it| it.tcr = value)
    }

    /// Returns the number of entries that were changed.
    pub fn changes(&self) -> u64 {
        self.state().changes
    }

    /// Returns, by the address of a barrier, the number of accesses that relied on it alone.
    pub fn relied(&self) -> HashMap<u64, u64> {
        self.state().relied.clone()
    }

    /// Checks that the last store to a table has a barrier behind it, before the link.
    fn check_order(&self, cpu: usize, table: u64, pc: u64, release: bool) -> Option<Report> {
        let last = self.page(table)?.last_store.load(SeqCst);
        let (by, barriers) = ((last & 0xff) as usize, last >> 8);
        let is_ordered =
            last == 0 || self.cpus[by].barriers.load(SeqCst) > barriers || release && by == cpu;
        (!is_ordered).then(|| Report {
            kind: Kind::UnorderedTable,
            cpu,
            pc,
            may_reach: None,
            text: format!(
                "cpu {cpu} links the table at {table:#x} at pc {pc:#x}: without a `dmb ishst` or \
                 `dsb ishst` of cpu {by} after its last store to the table"
            ),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Time {
        self.clock.fetch_add(1, SeqCst) + 1
    }

    fn page(&self, address: u64) -> Option<&Page> {
        self.pages.get(self.ram.page(address)?)
    }

    fn set_page(&self, address: u64, is: u8) {
        if let Some(page) = self.page(address) {
            page.is.store(is, SeqCst);
        }
    }
}

impl State {
    fn count_unsettled(&self, observer: &Observer<'_>) {
        let incomplete: usize = self.incomplete.iter().map(Vec::len).sum();
        let unsettled = incomplete + self.old.len() + self.done.len();
        observer.unsettled.store(unsettled, SeqCst);
    }

    /// Returns the entries that a walk of `address` finds, from the root table on. A table outside
    /// the observed memory ends the walk.
    fn walk(&self, registers: Registers, address: u64) -> impl Iterator<Item = Step> + '_ {
        let step = move |table: u64, level: u32| {
            let index = index(address, level);
            Some(Step {
                entry: self.tables.get(&table)?.entries[index],
                level,
                at: table + 8 * index as u64,
            })
        };
        let root = registers.walk().and_then(|it| step(it.0, it.1));
        std::iter::successors(root, move |it| {
            let now = it.descriptor();
            now.is_table().then(|| step(now.output(), it.level + 1))?
        })
    }

    fn access(&mut self, observer: &Observer<'_>, cpu: usize, access: Access) -> Vec<Report> {
        let registers = self.registers[cpu];
        let hardware = registers.hardware();
        let mut reports = Vec::new();
        let mut relied = Vec::new();
        let mut leaf = None;
        for step in self.walk(registers, access.address) {
            if !step.descriptor().is_table() {
                leaf = Some(step);
            }
            if !step.descriptor().is_valid() || step.needs_nothing(access, hardware) {
                continue;
            }
            let by = step.entry.by;
            let since = if by == cpu {
                step.entry.local
            } else {
                step.entry.complete
            };
            match since {
                Some(0) => {}
                None => reports.push(access.report(
                    Kind::MissingDsb,
                    cpu,
                    step,
                    &format!("a `dsb ishst` of cpu {by} after the store"),
                )),
                Some(since) if observer.cpus[cpu].synchronized.load(SeqCst) <= since => {
                    reports.push(access.report(
                        Kind::MissingIsb,
                        cpu,
                        step,
                        &format!("an `isb` of cpu {cpu} after the `dsb`"),
                    ));
                }
                Some(since) => relied.push((by, since)),
            }
        }
        if observer.coverage {
            for (by, since) in relied {
                self.relied_on(observer, cpu, by, since);
            }
        }
        if let Some(leaf) = leaf {
            reports.extend(self.check_old(cpu, access, leaf, hardware));
        }
        reports
    }

    /// Checks that a TLB does not hold a translation that differs from the present one.
    fn check_old(
        &self,
        cpu: usize,
        access: Access,
        leaf: Step,
        hardware: bool,
    ) -> impl Iterator<Item = Report> {
        let Access { address, write, .. } = access;
        let now = leaf.descriptor();
        let is_permitted = now.permits(write, hardware);
        let differs = move |old: &&Old| {
            let was_permitted = old.descriptor.permits(write, hardware);
            let is_same = is_permitted && old.descriptor.reaches_the_same(now, address);
            old.descriptor.is_leaf()
                && old.covers(address)
                && if was_permitted {
                    !is_same
                } else {
                    is_permitted
                }
        };
        let report = |kind, old: &Old, missing: &str| {
            let descriptor = old.descriptor;
            let may_reach = descriptor
                .permits(write, hardware)
                .then(|| descriptor.translate(address));
            Report {
                may_reach,
                ..access.report(kind, cpu, leaf, missing)
            }
        };
        let mut held = self.old.iter().filter(|it| it.holders & 1 << cpu != 0);
        let held = held.find(differs).map(|old| {
            let missing = format!(
                "{}, because cpu {} replaced {:#x} there at pc {:#x}",
                old.missing(),
                old.by,
                old.descriptor.bits,
                old.pc
            );
            report(Kind::StaleTranslation, old, &missing)
        });
        let done = self.done.iter().filter(|it| it.cpu == cpu);
        let done = done.map(|it| &it.old).find(differs).map(|old| {
            let missing =
                format!("an `isb` of cpu {cpu} after the `dsb` that completed the invalidation");
            report(Kind::MissingIsb, old, &missing)
        });
        let is_explained = is_permitted || held.is_some() || done.is_some();
        let missed = (!is_explained).then(|| {
            access.report(
                Kind::MissedStore,
                cpu,
                leaf,
                "a store that the observer has seen",
            )
        });
        held.into_iter().chain(done).chain(missed)
    }

    /// Counts an access that relied on barriers: on the `dsb` of CPU `by` if that CPU has executed
    /// no other since, and on the `isb` of `cpu` if it had executed no other in between.
    fn relied_on(&mut self, observer: &Observer<'_>, cpu: usize, by: usize, since: Time) {
        let mut relied = |pc: u64| {
            if pc != 0 {
                *self.relied.entry(pc).or_default() += 1;
            }
        };
        if observer.cpus[by].last_dsb_at.load(SeqCst) == since {
            relied(observer.cpus[by].last_dsb.load(SeqCst));
        }
        let cpu = &observer.cpus[cpu];
        if cpu.synchronized_before.load(SeqCst) <= since {
            relied(cpu.last_isb.load(SeqCst));
        }
    }

    fn dsb(&mut self, observer: &Observer<'_>, cpu: usize, domain: Domain, types: Types) {
        let now = observer.now();
        observer.cpus[cpu].last_dsb_at.store(now, SeqCst);
        let is_shareable = domain == Domain::Shareable;
        let stored = std::mem::take(&mut self.incomplete[cpu]);
        if !stored.is_empty() {
            observer.last_completion.store(now, SeqCst);
        }
        for (table, index) in stored {
            let Some(table_) = self.tables.get_mut(&table) else {
                continue;
            };
            let entry = &mut table_.entries[index];
            entry.local.get_or_insert(now);
            if is_shareable {
                entry.complete = Some(now);
            } else {
                self.incomplete[cpu].push((table, index));
            }
        }
        let this = 1 << cpu;
        for mut old in std::mem::take(&mut self.old) {
            if types == Types::All {
                let before = old.holders;
                if is_shareable && old.broadcast & this != 0 {
                    old.holders = 0;
                } else if (old.broadcast | old.local) & this != 0 {
                    old.holders &= !this;
                }
                if old.holders & this != before & this {
                    self.done.push(Done {
                        cpu,
                        old: old.clone(),
                    });
                    observer.cpus[cpu].owes_isb.store(true, SeqCst);
                }
            }
            if old.by == cpu {
                old.complete_for |= if is_shareable { ALL_CPUS } else { this };
            }
            if old.holders != 0 {
                self.old.push(old);
            } else if old.descriptor.is_table() {
                let page = observer.page(old.descriptor.output());
                let page = page.filter(|it| it.is.load(SeqCst) == FORMER_TABLE);
                if let Some(page) = page {
                    page.is.store(OTHER, SeqCst);
                }
            }
        }
        self.count_unsettled(observer);
    }

    /// The word at `address` of a live table has been stored to.
    fn change(
        &mut self,
        observer: &Observer<'_>,
        cpu: usize,
        address: u64,
        store: Store,
    ) -> Vec<Report> {
        let pc = store.pc;
        let (page, index) = (address & !0xfff, (address & 0xfff) as usize / 8);
        let Some(bits) = observer.ram.word(address) else {
            return Vec::new();
        };
        let hardware = self.registers[cpu].hardware();
        let Some(table) = self.tables.get_mut(&page) else {
            return Vec::new();
        };
        let level = table.level;
        let translated = table.address + index as u64 * span(level);
        let entry = &mut table.entries[index];
        if entry.bits == bits {
            return Vec::new();
        }
        self.changes += 1;
        let old = Descriptor {
            bits: entry.bits,
            level,
        };
        let new = Descriptor { bits, level };
        // A walk finds the new entry only after a barrier, if a fault would matter.
        let since = (!new.is_valid() || new.is_user()).then_some(0);
        let was_complete = entry.complete.is_some();
        *entry = Entry {
            bits,
            before: if was_complete { old.bits } else { 0 },
            by: cpu,
            pc,
            local: since,
            complete: since,
        };
        for incomplete in &mut self.incomplete {
            incomplete.retain(|it| *it != (page, index));
        }
        if since.is_none() {
            self.incomplete[cpu].push((page, index));
        }
        let mut reports = Vec::new();
        if old.needs_break_before_make(new) {
            reports.push(Report {
                kind: Kind::BreakBeforeMake,
                cpu,
                pc,
                may_reach: None,
                text: format!(
                    "cpu {cpu} replaces {:#x} by {bits:#x} in the level {level} entry at \
                     {address:#x}, at pc {pc:#x}: without storing 0 and invalidating before",
                    old.bits
                ),
            });
        }
        let is_same_table = old.is_table() && new.is_table() && old.output() == new.output();
        if old.may_be_cached(hardware) && !is_same_table {
            self.forget(observer, cpu, old, translated, pc, None);
        }
        if new.is_table() && !is_same_table {
            let is_ordered_by_release = store.release;
            reports.extend(observer.check_order(cpu, new.output(), pc, is_ordered_by_release));
            reports.extend(self.reuse(cpu, new, translated, pc));
            reports.extend(self.adopt(observer, cpu, new.output(), level + 1, translated, pc));
        } else if new.is_leaf() {
            reports.extend(self.reuse(cpu, new, translated, pc));
            // The old translation is right again.
            self.old
                .retain(|it| it.address != translated || it.descriptor != new);
        }
        reports
    }

    /// Watches the table at `address`, and the tables to which it points.
    fn adopt(
        &mut self,
        observer: &Observer<'_>,
        cpu: usize,
        address: u64,
        level: u32,
        translated: u64,
        pc: u64,
    ) -> Vec<Report> {
        let mut reports = Vec::new();
        if self.tables.contains_key(&address) || observer.page(address).is_none() {
            return reports;
        }
        observer.set_page(address, TABLE);
        let words = (0..512).map(|it| observer.ram.word(address + 8 * it).unwrap_or(0));
        let entries: Vec<_> = words.map(Entry::old).collect();
        self.tables.insert(
            address,
            Table {
                level,
                address: translated,
                entries: entries.clone(),
            },
        );
        for (index, entry) in entries.iter().enumerate() {
            let translated = translated + index as u64 * span(level);
            let descriptor = Descriptor {
                bits: entry.bits,
                level,
            };
            if descriptor.is_table() {
                let child = descriptor.output();
                reports.extend(observer.check_order(cpu, child, pc, false));
                reports.extend(self.adopt(observer, cpu, child, level + 1, translated, pc));
            } else if descriptor.is_leaf() {
                reports.extend(self.reuse(cpu, descriptor, translated, pc));
            }
        }
        reports
    }

    /// Stops to watch what `old` translates or refers to. TLBs may still hold it. `only` is the CPU
    /// that no longer uses the tables, if no entry was changed.
    fn forget(
        &mut self,
        observer: &Observer<'_>,
        cpu: usize,
        old: Descriptor,
        address: u64,
        pc: u64,
        only: Option<usize>,
    ) {
        let active = (0..CPUS).filter(|&it| self.registers[it].root().is_some());
        let holders = active.fold(0, |set, it| set | 1 << it);
        self.old.push(Old {
            descriptor: old,
            address,
            by: cpu,
            pc,
            holders: only.map_or(holders, |it| 1 << it),
            complete_for: if only.is_some() { ALL_CPUS } else { 0 },
            local: 0,
            broadcast: 0,
        });
        if old.is_table() {
            self.abandon(observer, cpu, old.output(), pc, only);
        }
    }

    /// Stops to watch a table that is no longer linked.
    fn abandon(
        &mut self,
        observer: &Observer<'_>,
        cpu: usize,
        address: u64,
        pc: u64,
        only: Option<usize>,
    ) {
        let Some(table) = self.tables.remove(&address) else {
            return;
        };
        observer.set_page(address, FORMER_TABLE);
        for incomplete in &mut self.incomplete {
            incomplete.retain(|it| it.0 != address);
        }
        let hardware = self.registers[cpu].hardware();
        for (index, entry) in table.entries.iter().enumerate() {
            let old = Descriptor {
                bits: entry.bits,
                level: table.level,
            };
            if old.may_be_cached(hardware) {
                let translated = table.address + index as u64 * span(table.level);
                self.forget(observer, cpu, old, translated, pc, only);
            }
        }
    }

    /// Checks that no TLB may translate another address to the memory of a new leaf or table.
    fn reuse(&self, cpu: usize, new: Descriptor, address: u64, pc: u64) -> Option<Report> {
        let size = |it: Descriptor| if it.is_leaf() { span(it.level) } else { 4096 };
        let (start, end) = (new.output(), new.output() + size(new));
        let old = self.old.iter().find(|it| {
            let old = it.descriptor.output();
            it.address != address
                && old < end
                && start < old + size(it.descriptor)
                && !self.still_maps(it)
        })?;
        Some(Report {
            kind: Kind::FrameReuse,
            cpu,
            pc,
            may_reach: None,
            text: format!(
                "cpu {cpu} maps {start:#x} at {address:#x}, at pc {pc:#x}: TLBs may still \
                 translate {:#x} to it by {:#x}, which cpu {} replaced at pc {:#x}, without {}",
                old.address,
                old.descriptor.bits,
                old.by,
                old.pc,
                old.missing()
            ),
        })
    }

    /// Returns whether the address is still translated to the same memory, and only attributes have
    /// changed.
    fn still_maps(&self, old: &Old) -> bool {
        let last = self.walk(self.registers[old.by], old.address).find(|it| {
            let now = it.descriptor();
            !now.is_table() || old.descriptor.is_table() && now.output() == old.descriptor.output()
        });
        last.is_some_and(|it| {
            let now = it.descriptor();
            now.is_table()
                || old.descriptor.is_leaf()
                    && now.is_leaf()
                    && now.translate(old.address) == old.descriptor.output()
        })
    }

    /// The page of a former table has been stored to.
    fn reuse_table(&self, observer: &Observer<'_>, cpu: usize, store: Store) -> Vec<Report> {
        let page = store.address & !0xfff;
        // A free table may be cleared.
        let bits = observer.ram.word(store.address & !7).unwrap_or(0);
        let mut old = self.old.iter();
        let old = old.find(|it| it.descriptor.is_table() && it.descriptor.output() == page);
        old.filter(|_| bits & 1 != 0)
            .map(|old| Report {
                kind: Kind::TableReuse,
                cpu,
                pc: store.pc,
                may_reach: None,
                text: format!(
                    "cpu {cpu} stores {bits:#x} to {:#x}, at pc {:#x}: TLBs may still refer to the \
                     table at {page:#x} for {:#x}, which cpu {} unlinked at pc {:#x}, without {}",
                    store.address,
                    store.pc,
                    old.address,
                    old.by,
                    old.pc,
                    old.missing()
                ),
            })
            .into_iter()
            .collect()
    }

    /// Changes the registers of a CPU, and watches the tables that it walks then.
    fn change_registers(
        &mut self,
        observer: &Observer<'_>,
        cpu: usize,
        pc: u64,
        change: impl FnOnce(&mut Registers),
    ) -> Vec<Report> {
        let before = self.registers[cpu];
        change(&mut self.registers[cpu]);
        let registers = self.registers[cpu];
        let mut reports = Vec::new();
        if before.walk() != registers.walk() {
            let mut others = (0..CPUS).map(|it| self.registers[it].walk());
            if let Some((root, ..)) = before.walk()
                && others.all(|it| it != before.walk())
            {
                self.abandon(observer, cpu, root, pc, Some(cpu));
                // Without its TCR_EL1, the CPU did not use the tables.
                if before.tcr == 0 {
                    self.old.retain(|it| it.holders != 1 << cpu);
                }
            }
            if let Some((root, level, lowest)) = registers.walk() {
                reports.extend(observer.check_order(cpu, root, pc, false));
                reports.extend(self.adopt(observer, cpu, root, level, lowest, pc));
            }
            self.count_unsettled(observer);
        }
        reports
    }
}

/// An entry that a walk finds.
#[derive(Clone, Copy)]
struct Step {
    entry: Entry,
    level: u32,
    /// The physical address of the entry.
    at: u64,
}

impl Step {
    fn descriptor(&self) -> Descriptor {
        Descriptor {
            bits: self.entry.bits,
            level: self.level,
        }
    }

    /// Returns whether an access would do the same if a walk found the value before the last store.
    fn needs_nothing(&self, access: Access, hardware: bool) -> bool {
        let now = self.descriptor();
        let before = Descriptor {
            bits: self.entry.before,
            level: self.level,
        };
        if now.is_table() {
            return before.is_table() && before.output() == now.output();
        }
        before.permits(access.write, hardware)
            && now.permits(access.write, hardware)
            && before.reaches_the_same(now, access.address)
    }
}

impl Access {
    fn report(self, kind: Kind, cpu: usize, step: Step, missing: &str) -> Report {
        let Self { pc, address, write } = self;
        let Step { entry, level, at } = step;
        let verb = if write { "writes" } else { "reads" };
        Report {
            kind,
            cpu,
            pc,
            may_reach: None,
            text: format!(
                "cpu {cpu} {verb} {address:#x} at pc {pc:#x}, by the level {level} entry at \
                 {at:#x}, to which cpu {} stored {:#x} at pc {:#x}: without {missing}",
                entry.by, entry.bits, entry.pc
            ),
        }
    }
}
