//! The rule: which accesses are allowed after which instructions.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{
    AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize,
    Ordering::{Release, SeqCst},
};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::descriptor::{Descriptor, span};
use crate::{Architecture, Kind, Report, Tlbi};

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

/// An access by an address that TTBR1 or satp translates. The machine has made it without a fault.
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

/// What a page of RAM is.
const OTHER: u8 = 0;
const TABLE: u8 = 1;
/// The page was a table, and a TLB may still refer to it.
const FORMER_TABLE: u8 = 2;

#[derive(Default)]
struct Page {
    is: AtomicU8,
    /// The last store, as [`Order::packed`] has it. It is 0 if there was none.
    last_store: AtomicU64,
}

/// The barriers and store-releases of a CPU, which order its stores.
#[derive(Default)]
struct Order {
    /// The number of barriers that order stores.
    barriers: AtomicU32,
    /// The number of store-releases. They order earlier stores for a CPU that acquires them.
    releases: AtomicU32,
}

impl Order {
    const MASK: u64 = (1 << 28) - 1;

    /// Returns `cpu` and 1 in bits 7:0, the barriers in bits 35:8, and the releases above.
    fn packed(&self, cpu: usize) -> u64 {
        let [barriers, releases] =
            [&self.barriers, &self.releases].map(|it| u64::from(it.load(SeqCst)) & Self::MASK);
        releases << 36 | barriers << 8 | (cpu as u64 + 1)
    }
}

#[derive(Default)]
struct Cpu {
    /// The last context synchronization event, and the one before it. On RISC-V, the last
    /// `sfence.vma` of all addresses.
    synchronized: AtomicU64,
    synchronized_before: AtomicU64,
    order: Order,
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

struct State {
    architecture: Architecture,
    registers: [Registers; CPUS],
    tables: HashMap<u64, Table>,
    /// For each CPU, the entries that it has stored, and that some CPU's walk may not find.
    incomplete: [Vec<(u64, usize)>; CPUS],
    old: Vec<Old>,
    done: Vec<Done>,
    /// By the address of the barrier: the number of accesses that relied on it alone.
    relied: HashMap<u64, u64>,
    changes: u64,
    svinval: [Svinval; CPUS],
}

/// The last `sfence.w.inval` of a hart, and the `sinval.vma` since: the address, and whether it is
/// for all address spaces.
#[derive(Default)]
struct Svinval {
    since: Time,
    invalidations: Vec<(Option<u64>, bool)>,
}

/// The registers that choose the tables. On RISC-V, `ttbr1` is satp, and `tcr` is not used.
#[derive(Clone, Copy, Default)]
struct Registers {
    ttbr1: u64,
    tcr: u64,
}

/// A root table.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Root {
    table: u64,
    level: i32,
    /// The lowest address that it translates.
    lowest: u64,
    /// The number of bits of an address, if the upper half of the table is for negative addresses.
    signed: Option<u32>,
}

impl Registers {
    /// Returns the root table, if walks are enabled.
    fn root(self, architecture: Architecture) -> Option<Root> {
        match architecture {
            Architecture::Aarch64 => self.ttbr1_root(),
            Architecture::Riscv64 => {
                // MODE is in bits 63:60, and PPN in bits 43:0.
                let (level, bits) = match self.ttbr1 >> 60 {
                    8 => (1, 39),
                    9 => (0, 48),
                    10 => (-1, 57),
                    _ => return None,
                };
                Some(Root {
                    table: (self.ttbr1 & ((1 << 44) - 1)) << 12,
                    level,
                    lowest: 0,
                    signed: Some(bits),
                })
            }
        }
    }

    fn ttbr1_root(self) -> Option<Root> {
        // EPD1 disables walks.
        if self.ttbr1 == 0 || self.tcr >> 23 & 1 != 0 {
            return None;
        }
        // T1SZ is in bits 21:16. If the observer has not seen its value, 48 bits are translated.
        let t1sz = match self.tcr {
            0 => 16,
            tcr => tcr >> 16 & 0x3f,
        };
        Some(Root {
            table: self.ttbr1 & 0x0000_ffff_ffff_f000,
            level: match t1sz {
                ..=24 => 0,
                25..=33 => 1,
                _ => 2,
            },
            lowest: !0 << (64 - t1sz),
            signed: None,
        })
    }

    /// Returns TCR_EL1.HA: hardware manages the Access flag.
    fn hardware(self) -> bool {
        self.tcr >> 39 & 1 != 0
    }
}

struct Table {
    level: i32,
    /// The lowest virtual address that it translates.
    address: u64,
    /// As in [`Root`].
    signed: Option<u32>,
    entries: Vec<Entry>,
}

impl Table {
    /// Returns the lowest address that an entry translates.
    fn translated(&self, index: usize) -> u64 {
        let address = self.address + index as u64 * span(self.level);
        match self.signed {
            Some(bits) => ((address << (64 - bits)).cast_signed() >> (64 - bits)).cast_unsigned(),
            None => address,
        }
    }
}

#[derive(Clone, Copy)]
struct Entry {
    bits: u64,
    /// The value that each walk found before the last store, or 0 if that is not known.
    before: u64,
    pc: u64,
    reach: Reach,
    /// On RISC-V, the last `sfence.vma` of each CPU for the address.
    fenced: [Time; CPUS],
}

/// How far a store has come.
#[derive(Clone, Copy)]
struct Reach {
    by: usize,
    /// The time from which a walk of the storing CPU finds the value, after its `isb` or
    /// `sfence.vma`.
    local: Option<Time>,
    /// The same for the walks of all CPUs.
    complete: Option<Time>,
}

impl Reach {
    fn since(self, cpu: usize) -> Option<Time> {
        if self.by == cpu {
            self.local
        } else {
            self.complete
        }
    }
}

impl Entry {
    /// An entry that was there before its table was linked.
    fn old(bits: u64) -> Self {
        Self {
            bits,
            before: bits,
            pc: 0,
            reach: Reach {
                by: 0,
                local: Some(0),
                complete: Some(0),
            },
            fenced: [0; CPUS],
        }
    }
}

/// A translation or a reference to a table that TLBs may hold although its entry has changed.
#[derive(Clone)]
struct Old {
    descriptor: Descriptor,
    address: u64,
    /// Of the store that replaced it.
    reach: Reach,
    pc: u64,
    /// The CPUs whose TLBs may hold it.
    holders: Cpus,
    /// The CPUs that have executed a TLBI for it, which a `dsb` completes.
    local: Cpus,
    broadcast: Cpus,
}

/// Returns the index of the entry that translates `address` in a table of this level.
fn index(address: u64, level: i32) -> usize {
    let index = address / span(level) % 512;
    usize::try_from(index).unwrap_or(0)
}

impl Old {
    fn covers(&self, address: u64) -> bool {
        address.wrapping_sub(self.address) < span(self.descriptor.level)
    }

    /// Names the instruction that is missing.
    fn missing(&self) -> String {
        let Reach { by, complete, .. } = self.reach;
        if self.descriptor.architecture == Architecture::Riscv64 {
            let holder = self.holders.trailing_zeros();
            return if complete.is_some() || holder as usize == by {
                format!("an `sfence.vma` of cpu {holder} that covers that address")
            } else {
                format!("a `fence w, w` of cpu {by} after that store, and an `sfence.vma`")
            };
        }
        if complete.is_none() {
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
    pub fn new(architecture: Architecture, ram: Ram<'a>, coverage: bool) -> Self {
        let pages = (ram.words.len() * 8).div_ceil(4096);
        Self {
            ram,
            pages: (0..pages).map(|_| Page::default()).collect(),
            cpus: Default::default(),
            clock: AtomicU64::new(0),
            last_completion: AtomicU64::new(0),
            unsettled: AtomicUsize::new(0),
            coverage,
            state: Mutex::new(State::new(architecture)),
        }
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

    /// Returns whether the word at a physical address is an entry of a table.
    pub fn is_entry(&self, address: u64) -> bool {
        let page = self.page(address);
        page.is_some_and(|it| it.is.load(SeqCst) == TABLE)
    }

    /// The CPU `cpu` has stored to memory.
    pub fn store(&self, cpu: usize, store: Store) -> Vec<Report> {
        let Some(page) = self.page(store.address) else {
            return Vec::new();
        };
        let order = &self.cpus[cpu].order;
        if store.release {
            order.releases.fetch_add(1, SeqCst);
        }
        page.last_store.store(order.packed(cpu), Release);
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
            self.cpus[cpu].order.barriers.fetch_add(1, SeqCst);
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
            // A TLBI before the store is complete is of no use: a walk may find the entry again.
            if !tlbi.covers(old.descriptor, old.address) || old.reach.since(cpu).is_none() {
                continue;
            }
            if tlbi.is_broadcast && old.reach.complete.is_some() {
                old.broadcast |= this;
            } else {
                old.local |= this;
            }
        }
    }

    /// The CPU executes a `fence` whose predecessors have writes.
    pub fn fence(&self, cpu: usize, pc: u64) {
        self.dsb(cpu, Domain::Shareable, Types::Stores, pc);
    }

    /// The CPU executes the `sfence.vma` at `pc`, for all addresses or for one. An `sfence.vma` of
    /// one address space leaves global entries alone.
    pub fn sfence(&self, cpu: usize, address: Option<u64>, all_spaces: bool, pc: u64) {
        let now = self.now();
        self.state().sfence(self, cpu, address, all_spaces, now);
        if address.is_none() && all_spaces {
            self.synchronize(cpu, Some(pc));
        }
    }

    /// The CPU executes `sfence.w.inval`.
    pub fn sfence_w_inval(&self, cpu: usize) {
        self.state().svinval[cpu] = Svinval {
            since: self.now(),
            invalidations: Vec::new(),
        };
    }

    /// The CPU executes `sinval.vma`.
    pub fn sinval(&self, cpu: usize, address: Option<u64>, all_spaces: bool) {
        let all = &mut self.state().svinval[cpu].invalidations;
        all.push((address, all_spaces));
    }

    /// The CPU executes `sfence.inval.ir`. It completes the invalidations since `sfence.w.inval`,
    /// for the stores before that.
    pub fn sfence_inval_ir(&self, cpu: usize) {
        let mut state = self.state();
        let Svinval {
            since,
            invalidations,
        } = std::mem::take(&mut state.svinval[cpu]);
        for (address, all_spaces) in invalidations {
            state.sfence(self, cpu, address, all_spaces, since);
        }
    }

    /// The CPU writes satp.
    pub fn set_satp(&self, cpu: usize, value: u64, pc: u64) -> Vec<Report> {
        self.set_ttbr1(cpu, value, pc)
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
        let by = usize::try_from(last & 0xff).unwrap_or(0).checked_sub(1)?;
        let now = self.cpus[by].order.packed(by);
        let is_ordered = if by == cpu {
            // A store-release of this CPU orders nothing before a later link.
            release || last >> 8 & Order::MASK != now >> 8 & Order::MASK
        } else {
            last != now
        };
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
    fn new(architecture: Architecture) -> Self {
        Self {
            architecture,
            registers: Default::default(),
            tables: HashMap::new(),
            incomplete: Default::default(),
            old: Vec::new(),
            done: Vec::new(),
            relied: HashMap::new(),
            changes: 0,
            svinval: Default::default(),
        }
    }

    fn root(&self, cpu: usize) -> Option<Root> {
        self.registers[cpu].root(self.architecture)
    }

    fn count_unsettled(&self, observer: &Observer<'_>) {
        let incomplete: usize = self.incomplete.iter().map(Vec::len).sum();
        let unsettled = incomplete + self.old.len() + self.done.len();
        observer.unsettled.store(unsettled, SeqCst);
    }

    /// Returns the entries that a walk of `address` finds, from the root table on. A table outside
    /// the observed memory ends the walk.
    fn walk(&self, cpu: usize, address: u64) -> impl Iterator<Item = Step> + '_ {
        let step = move |table: u64, level: i32| {
            let index = index(address, level);
            let entry = self.tables.get(&table)?.entries[index];
            Some(Step {
                entry,
                descriptor: self.architecture.descriptor(entry.bits, level),
                at: table + 8 * index as u64,
            })
        };
        let root = self.root(cpu).and_then(|it| step(it.table, it.level));
        std::iter::successors(root, move |it| {
            let now = it.descriptor;
            now.is_table().then(|| step(now.output(), now.level + 1))?
        })
    }

    fn access(&mut self, observer: &Observer<'_>, cpu: usize, access: Access) -> Vec<Report> {
        let hardware = self.registers[cpu].hardware();
        let mut reports = Vec::new();
        let mut relied = Vec::new();
        let mut leaf = None;
        for step in self.walk(cpu, access.address) {
            if !step.descriptor.is_table() {
                leaf = Some(step);
            }
            if !step.descriptor.is_valid() || step.needs_nothing(access, hardware) {
                continue;
            }
            let by = step.entry.reach.by;
            let synchronized = observer.cpus[cpu].synchronized.load(SeqCst);
            let synchronized = synchronized.max(step.entry.fenced[cpu]);
            let (kind, missing) = match (step.entry.reach.since(cpu), self.architecture) {
                (Some(0), _) => continue,
                (Some(since), _) if synchronized > since => {
                    if observer.coverage {
                        relied.push((by, since));
                    }
                    continue;
                }
                (None, Architecture::Aarch64) => (
                    Kind::MissingDsb,
                    format!("a `dsb ishst` of cpu {by} after the store"),
                ),
                (Some(_), Architecture::Aarch64) => (
                    Kind::MissingIsb,
                    format!("an `isb` of cpu {cpu} after the `dsb`"),
                ),
                (None, Architecture::Riscv64) => (
                    Kind::MissingFence,
                    format!("a `fence w, w` of cpu {by} after the store"),
                ),
                (Some(_), Architecture::Riscv64) => (
                    Kind::MissingSfence,
                    format!("an `sfence.vma` of cpu {cpu} that covers the address"),
                ),
            };
            reports.push(access.report(kind, cpu, step, &missing));
        }
        for (by, since) in relied {
            self.relied_on(observer, cpu, by, since);
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
        let now = leaf.descriptor;
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
                old.reach.by,
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
            entry.reach.local.get_or_insert(now);
            if is_shareable {
                entry.reach.complete = Some(now);
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
            if old.reach.by == cpu {
                old.reach.local.get_or_insert(now);
                if is_shareable {
                    old.reach.complete.get_or_insert(now);
                }
            }
            self.old.push(old);
        }
        self.drop_old(observer);
    }

    /// Drops what no TLB holds any more.
    fn drop_old(&mut self, observer: &Observer<'_>) {
        self.old.retain(|old| {
            if old.holders == 0 && old.descriptor.is_table() {
                let page = observer.page(old.descriptor.output());
                let page = page.filter(|it| it.is.load(SeqCst) == FORMER_TABLE);
                if let Some(page) = page {
                    page.is.store(OTHER, SeqCst);
                }
            }
            old.holders != 0
        });
        self.count_unsettled(observer);
    }

    /// An `sfence.vma` of `cpu` covers what walks could find at the time `since`.
    fn sfence(
        &mut self,
        observer: &Observer<'_>,
        cpu: usize,
        address: Option<u64>,
        all_spaces: bool,
        since: Time,
    ) {
        for old in &mut self.old {
            // With an address, it covers only leaves.
            let is_covered = address.is_none_or(|it| old.descriptor.is_leaf() && old.covers(it))
                && (all_spaces || !old.descriptor.is_global())
                && old.reach.since(cpu).is_some_and(|it| it < since);
            if is_covered {
                old.holders &= !(1 << cpu);
            }
        }
        self.drop_old(observer);
        let leaf = address.and_then(|it| self.walk(cpu, it).last());
        let leaf = leaf.filter(|it| all_spaces || !it.descriptor.is_global());
        if let Some(leaf) = leaf {
            let table = self.tables.get_mut(&(leaf.at & !0xfff));
            if let Some(table) = table {
                table.entries[(leaf.at & 0xfff) as usize / 8].fenced[cpu] = since;
            }
        }
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
        let (level, signed) = (table.level, table.signed);
        let translated = table.translated(index);
        let entry = &mut table.entries[index];
        if entry.bits == bits {
            return Vec::new();
        }
        self.changes += 1;
        let old = self.architecture.descriptor(entry.bits, level);
        let new = self.architecture.descriptor(bits, level);
        let now = observer.now();
        // The walks of a RISC-V hart follow its stores, after an `sfence.vma`.
        let local = (self.architecture == Architecture::Riscv64).then_some(now);
        let reach = Reach {
            by: cpu,
            local,
            complete: None,
        };
        // A walk finds the new entry only after a barrier, if a fault would matter.
        let is_harmless = !new.is_valid() || new.is_user();
        let was_complete = entry.reach.complete.is_some();
        *entry = Entry {
            bits,
            before: if was_complete { old.bits } else { 0 },
            pc,
            reach,
            fenced: [0; CPUS],
        };
        if is_harmless {
            entry.reach = Entry::old(bits).reach;
            entry.reach.by = cpu;
        } else {
            observer.last_completion.store(now, SeqCst);
        }
        for incomplete in &mut self.incomplete {
            incomplete.retain(|it| *it != (page, index));
        }
        if !is_harmless {
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
            self.forget(observer, reach, old, translated, pc, None);
        }
        if new.is_table() && !is_same_table {
            let is_ordered_by_release = store.release;
            reports.extend(observer.check_order(cpu, new.output(), pc, is_ordered_by_release));
            reports.extend(self.reuse(cpu, new, translated, pc));
            let child = Root {
                table: new.output(),
                level: level + 1,
                lowest: translated,
                signed,
            };
            reports.extend(self.adopt(observer, cpu, child, pc));
        } else if new.is_leaf() {
            reports.extend(self.reuse(cpu, new, translated, pc));
            // The old translation is right again.
            self.old
                .retain(|it| it.address != translated || it.descriptor != new);
        }
        reports
    }

    /// Watches a table, and the tables to which it points.
    fn adopt(&mut self, observer: &Observer<'_>, cpu: usize, root: Root, pc: u64) -> Vec<Report> {
        let mut reports = Vec::new();
        let Root { table, level, .. } = root;
        if self.tables.contains_key(&table) || observer.page(table).is_none() {
            return reports;
        }
        observer.set_page(table, TABLE);
        let words = (0..512).map(|it| observer.ram.word(table + 8 * it).unwrap_or(0));
        let adopted = Table {
            level,
            address: root.lowest,
            signed: root.signed,
            entries: words.map(Entry::old).collect(),
        };
        let entries = adopted.entries.iter().enumerate();
        let entries: Vec<_> = entries
            .map(|(index, it)| (it.bits, adopted.translated(index)))
            .collect();
        self.tables.insert(table, adopted);
        for (bits, lowest) in entries {
            let descriptor = self.architecture.descriptor(bits, level);
            if descriptor.is_table() {
                let child = Root {
                    table: descriptor.output(),
                    level: level + 1,
                    lowest,
                    signed: root.signed,
                };
                reports.extend(observer.check_order(cpu, child.table, pc, false));
                reports.extend(self.adopt(observer, cpu, child, pc));
            } else if descriptor.is_leaf() {
                reports.extend(self.reuse(cpu, descriptor, lowest, pc));
            }
        }
        reports
    }

    /// Stops to watch what `old` translates or refers to. TLBs may still hold it. `only` is the CPU
    /// that no longer uses the tables, if no entry was changed.
    fn forget(
        &mut self,
        observer: &Observer<'_>,
        reach: Reach,
        old: Descriptor,
        address: u64,
        pc: u64,
        only: Option<usize>,
    ) {
        let active = (0..CPUS).filter(|&it| self.root(it).is_some());
        let holders = active.fold(0, |set, it| set | 1 << it);
        self.old.push(Old {
            descriptor: old,
            address,
            reach,
            pc,
            holders: only.map_or(holders, |it| 1 << it),
            local: 0,
            broadcast: 0,
        });
        if old.is_table() {
            self.abandon(observer, reach, old.output(), pc, only);
        }
    }

    /// Stops to watch a table that is no longer linked.
    fn abandon(
        &mut self,
        observer: &Observer<'_>,
        reach: Reach,
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
        let hardware = self.registers[reach.by].hardware();
        for (index, entry) in table.entries.iter().enumerate() {
            let old = self.architecture.descriptor(entry.bits, table.level);
            if old.may_be_cached(hardware) {
                self.forget(observer, reach, old, table.translated(index), pc, only);
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
                old.reach.by,
                old.pc,
                old.missing()
            ),
        })
    }

    /// Returns whether the address is still translated to the same memory, and only attributes have
    /// changed.
    fn still_maps(&self, old: &Old) -> bool {
        let last = self.walk(old.reach.by, old.address).find(|it| {
            let now = it.descriptor;
            !now.is_table() || old.descriptor.is_table() && now.output() == old.descriptor.output()
        });
        last.is_some_and(|it| {
            let now = it.descriptor;
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
                    old.reach.by,
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
        let (before, old) = (self.registers[cpu], self.root(cpu));
        change(&mut self.registers[cpu]);
        let new = self.root(cpu);
        let mut reports = Vec::new();
        if old != new {
            let mut others = (0..CPUS).map(|it| self.root(it));
            if let Some(root) = old
                && others.all(|it| it != old)
            {
                let reach = Reach {
                    by: cpu,
                    ..Entry::old(0).reach
                };
                self.abandon(observer, reach, root.table, pc, Some(cpu));
                // Without its TCR_EL1, the CPU did not use the tables.
                if before.tcr == 0 && self.architecture == Architecture::Aarch64 {
                    self.old.retain(|it| it.holders != 1 << cpu);
                }
            }
            if let Some(root) = new {
                reports.extend(observer.check_order(cpu, root.table, pc, false));
                reports.extend(self.adopt(observer, cpu, root, pc));
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
    descriptor: Descriptor,
    /// The physical address of the entry.
    at: u64,
}

impl Step {
    /// Returns whether an access would do the same if a walk found the value before the last store.
    fn needs_nothing(&self, access: Access, hardware: bool) -> bool {
        let now = self.descriptor;
        let before = now.architecture.descriptor(self.entry.before, now.level);
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
        let Step { entry, at, .. } = step;
        let level = step.descriptor.level;
        let verb = if write { "writes" } else { "reads" };
        Report {
            kind,
            cpu,
            pc,
            may_reach: None,
            text: format!(
                "cpu {cpu} {verb} {address:#x} at pc {pc:#x}, by the level {level} entry at \
                 {at:#x}, to which cpu {} stored {:#x} at pc {:#x}: without {missing}",
                entry.reach.by, entry.bits, entry.pc
            ),
        }
    }
}
