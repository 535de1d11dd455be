//! C10 and C12: threads migrate to other CPUs in the middle of their sections, while other CPUs set
//! and clear other bits of their flags words.
//!
//! A thread is preempted by the timer, by an interrupt from another CPU, and when it yields or asks
//! for another CPU. The words behind the level are these:
//!
//! - the number of sections;
//! - the lowest number of the counter's ticks between two timer interrupts;
//! - the number of sections in which a thread asks once for another CPU, or 0 for never.
//!
//! A lost bit and a mode that stays on end the program. Its output depends on the machine's speed.
//! The program checks itself that threads have migrated inside their sections often enough.
//!
//! An emulated CPU does not need the barriers. `cargo xtask observe migration` runs the program
//! under an observer, which reports each access that relies on a barrier that was not executed. The
//! program therefore has sections of every form, and uses a mapping directly behind each barrier
//! that is to make it visible. Its entries are invalid before each store, or have another frame.
//! Most interrupt handlers execute no barrier, because a barrier of theirs would replace a missing
//! one of the interrupted thread. For the same reason, no loop has the `isb` of `spin_loop`.

#![no_std]
#![no_main]

use core::array::from_fn;
use core::slice;
use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};

use lazy_mmu::aarch64::descriptor::{Leaf, Table};
use lazy_mmu::aarch64::{Aarch64, Kernel};
use lazy_mmu::{Backend, Bits, Storage as _, Task, VirtualRange, aarch64, is_active, lazy_mmu};
use lazy_mmu_examples::page::{Frame, VMALLOC_BASE};
use lazy_mmu_examples::{Error, PageRange};
use lazy_mmu_qemu::access::read_mapped;
use lazy_mmu_qemu::arena::{Arena, WORD};
use lazy_mmu_qemu::pool::Words;
use lazy_mmu_qemu::scheduler::{self, ANY, Thread, current, spawn, threads, yield_now};
use lazy_mmu_qemu::smp::{self, CPUS, cpu, relax};
use lazy_mmu_qemu::thread::{Byte, FOREIGN_FLAGS, Mmu};
use lazy_mmu_qemu::virt::{entries, pages};
use lazy_mmu_qemu::{interrupts, program};
use semihosting::println;
use spin::Once;

/// The number of threads. One half has the bits in a flags word, and the other half in a byte.
const THREADS: usize = 8;
/// The pages of each thread.
const PAGES: usize = 16;
/// The most pages that one section maps.
const MOST: usize = 4;
/// The threads and the handlers of the CPUs have pages and frames of their own.
const OWNERS: usize = THREADS + CPUS;
/// The frames of each, which it maps in turns.
const FRAMES: usize = 2;
/// The address that the first thread's own table translates, and the size of such a table's range.
const TABLES_BASE: u64 = VMALLOC_BASE + (1 << 30);
const TABLE_SIZE: u64 = 512 * 4096;

static ARENA: Once<Arena> = Once::new();
/// The entries that link the threads' tables.
static LINKS: Once<&'static [AtomicU64]> = Once::new();
/// The tables of the threads, which are linked only while they are used.
static TABLES: [Words<512>; THREADS] = [const { Words::new() }; THREADS];
/// The lowest number of the counter's ticks between two timer interrupts.
static TICKS: AtomicU64 = AtomicU64::new(0);
/// The number of turns in which a thread asks once for another CPU. It is 0 for never.
static FORCED: AtomicUsize = AtomicUsize::new(0);
/// The number of sections of each thread.
static SECTIONS: AtomicUsize = AtomicUsize::new(0);
/// The number of the next thread that begins.
static NEXT: AtomicUsize = AtomicUsize::new(0);
/// The number of interrupt handlers that have run.
static HANDLED: AtomicUsize = AtomicUsize::new(0);
/// The number of mappings that threads have used.
static USED: AtomicU64 = AtomicU64::new(0);

lazy_mmu_qemu::program!(run);

fn run() -> Result<(), Error> {
    let sections = program::number(1, 100_000);
    TICKS.store(program::number(2, 2000) as u64, Relaxed);
    FORCED.store(program::number(3, 64), Relaxed);
    scheduler::init_cpu();
    let (mut mm, arena) = Arena::boot::<Mmu>(OWNERS * PAGES, OWNERS * FRAMES, false)?;
    ARENA.call_once(|| arena);
    mm.build_tables(PageRange::new(TABLES_BASE, 1)?)?;
    let links = entries(&mm, TABLES_BASE, 2)?;
    LINKS.call_once(|| &links[1..]);
    SECTIONS.store(sections.div_ceil(THREADS), Relaxed);
    interrupts::init(CPUS, handler);
    interrupts::on_return(scheduler::preempt);
    // No interrupt synchronizes a CPU before it has begun its first thread.
    smp::start(|| ());
    for number in 0..THREADS {
        let main = if number.is_multiple_of(2) {
            thread::<Mmu>
        } else {
            thread::<Aarch64<Newer>>
        };
        // The thread uses this mapping first.
        let page = Own::new(number).page();
        page.write::<Mmu>();
        page.check();
        if number == 0 {
            spawn(main, FOREIGN_FLAGS, 1);
            scheduler::idle_until(|| WAS_HERE.load(Relaxed));
        } else {
            spawn(main, FOREIGN_FLAGS, ANY);
        }
    }
    begin();
    scheduler::idle_until(|| threads().iter().all(Thread::is_finished));
    report(sections);
    Ok(())
}

/// Whether the first thread has visited CPU 0.
static WAS_HERE: AtomicBool = AtomicBool::new(false);

/// Maps two pages on this CPU, and uses them on CPU 0, which waits for a thread. The context switch
/// alone synchronizes that CPU for the first page, and alone completes the store of the second one.
fn visit_first_cpu<B: Backend>(own: &mut Own) {
    let [one, two] = own.pages();
    one.write::<B>();
    lazy_mmu::with::<B, _>(|mmu| {
        mmu.write(two.slot, two.leaf);
        current().pin(0);
        yield_now();
        one.check();
    });
    two.check();
    WAS_HERE.store(true, Relaxed);
    current().pin(1);
    yield_now();
    current().pin(ANY);
}

/// Waits until each other CPU has begun a thread, and lets the timer interrupt this CPU.
fn begin() {
    static BEGUN: AtomicUsize = AtomicUsize::new(0);

    if cpu() != 0 {
        BEGUN.fetch_add(1, Relaxed);
    }
    while BEGUN.load(Relaxed) < CPUS - 1 {
        relax();
    }
    interrupts::set_timer(TICKS.load(Relaxed), usize::MAX);
}

/// The kernel [`Byte`], on CPUs that need only one TLBI for an invalidation.
struct Newer;

// SAFETY: everything else is as there, and the emulated CPUs do not have the errata.
unsafe impl Kernel for Newer {
    type Task = <Byte as Kernel>::Task;
    type Bits = <Byte as Kernel>::Bits;
    type Interrupt = <Byte as Kernel>::Interrupt;

    fn needs_repeated_tlbi() -> bool {
        false
    }
}

/// The pages and the frames of one thread, or of the handlers of one CPU.
struct Own {
    number: usize,
    arena: Arena,
    /// The number of pages that are mapped. They are the first ones.
    mapped: usize,
    /// The number of times that all pages were unmapped.
    round: usize,
}

/// A page, with the descriptor and the contents of the frame that it is to map.
#[derive(Clone, Copy)]
struct Page {
    slot: &'static AtomicU64,
    leaf: Leaf,
    address: u64,
    word: u64,
}

impl Page {
    /// Uses the mapping. A fault is unexpected, and ends the program.
    fn check(&self) {
        assert_eq!(read_mapped(self.address), self.word);
    }

    fn range(&self) -> VirtualRange {
        pages(self.address, 1)
    }

    fn write<B: Backend>(&self) {
        lazy_mmu::write::<B, _>(self.slot, self.leaf);
    }
}

impl Own {
    /// `number` counts the threads, and then the CPUs.
    fn new(number: usize) -> Self {
        let arena = *ARENA.get().expect("it is booted");
        Self {
            number,
            arena,
            mapped: 0,
            round: 0,
        }
    }

    /// Returns a page that is not mapped. In each round, a page maps another frame than before.
    fn page(&mut self) -> Page {
        self.mapped += 1;
        self.page_at(self.mapped - 1, self.round)
    }

    fn pages<const N: usize>(&mut self) -> [Page; N] {
        from_fn(|_| self.page())
    }

    fn page_at(&self, number: usize, round: usize) -> Page {
        let number = self.number * PAGES + number;
        let frame = self.number * FRAMES + round % FRAMES;
        Page {
            slot: &self.arena.slots[number],
            leaf: self.arena.leaf(frame),
            address: self.arena.range.page(number),
            word: WORD + frame as u64,
        }
    }

    /// Unmaps all pages, in one of several ways.
    fn clear<B: Backend>(&mut self) {
        let first = self.page_at(0, 0);
        let slots = &self.arena.slots[self.number * PAGES..][..self.mapped];
        let range = pages(first.address, self.mapped as u64);
        match self.round % 3 {
            0 => self.arena.clear::<B>(self.number * PAGES, self.mapped),
            1 => {
                let mut old = [None; PAGES];
                lazy_mmu::gather::<B, _, _>(&mut old, |gather| {
                    for number in 0..self.mapped {
                        let page = self.page_at(number, 0);
                        let added = gather.unmap(page.slot, page.range(), Frame::containing);
                        added.expect("there is room for all pages");
                    }
                });
            }
            _ => lazy_mmu::with::<B, _>(|mmu| mmu.unmap_range(slots, range).invalidate(mmu)),
        }
        self.mapped = 0;
        self.round += 1;
    }
}

/// Opens sections, and uses their mappings. Each thread runs this.
fn thread<B: Backend>() {
    let number = NEXT.fetch_add(1, Relaxed);
    let mut own = Own::new(number);
    own.page().check();
    if number == 0 {
        visit_first_cpu::<B>(&mut own);
    }
    begin();
    // SAFETY: this is the only handle of the thread.
    let mut task = unsafe { Task::<B>::current() };
    let forms: [Form<B>; _] = [
        attribute,
        nested_sections,
        joined_sections,
        closure_with_proofs,
        closure_with_flush,
        handle,
        nested_handle,
        paused_section,
        paused_attribute,
        forgotten_section,
        forgotten_before_another,
        without_section,
        noted_stores,
        section_of_a_caller,
        invalidations,
        change_of_frame,
        table,
    ];
    for turn in 0..SECTIONS.load(Relaxed) {
        if own.mapped + MOST > PAGES {
            own.clear::<B>();
        }
        let before = own.mapped;
        forms[turn % forms.len()](&mut task, &mut own, turn / forms.len());
        assert_eq!(B::current().load(), Bits::EMPTY, "the mode is off");
        USED.fetch_add((own.mapped - before) as u64, Relaxed);
        change_flag_of_another(number, turn);
    }
    task.check_idle().expect("all sections are left");
}

/// Maps pages of `own` in one form of section, is disturbed in turn number `turn`, and uses them.
type Form<B> = fn(task: &mut Task<B>, own: &mut Own, turn: usize);

/// Disturbs a thread in the middle of its section.
///
/// At times it interrupts this CPU or another one, which then looks for another thread. At times it
/// yields. At times it asks for another CPU, and waits until it runs there.
fn disturb(turn: usize) {
    match turn % 8 {
        0 => interrupts::send_to(turn / 8 % CPUS),
        3 => yield_now(),
        _ => {}
    }
    let every = FORCED.load(Relaxed);
    if every != 0 && turn % every == 1 {
        // The thread may be on another CPU after this, which does not matter.
        let there = (cpu() + 1) % CPUS;
        current().pin(there);
        while cpu() != there {
            interrupts::send_to(cpu());
        }
        current().pin(ANY);
    }
}

fn attribute<B: Backend>(_: &mut Task<B>, own: &mut Own, turn: usize) {
    #[lazy_mmu(backend = B, mmu)]
    fn map<B: Backend>(pages: [Page; 2], turn: usize) {
        assert!(is_active::<B>());
        for page in pages {
            mmu.write(page.slot, page.leaf);
        }
        disturb(turn);
    }

    let [one, two] = own.pages();
    map::<B>([one, two], turn);
    disturb(turn + 1);
    one.check();
    two.check();
}

fn nested_sections<B: Backend>(_: &mut Task<B>, own: &mut Own, turn: usize) {
    let [one, two, three] = own.pages();
    lazy_mmu::with::<B, _>(|mmu| {
        mmu.write(one.slot, one.leaf);
        lazy_mmu::with::<B, _>(|inner| {
            inner.write(two.slot, two.leaf);
            disturb(turn);
        });
        one.check();
        two.check();
        mmu.write(three.slot, three.leaf);
        disturb(turn + 1);
    });
    three.check();
}

fn joined_sections<B: Backend>(_: &mut Task<B>, own: &mut Own, turn: usize) {
    #[lazy_mmu(backend = B, mmu, join)]
    fn map<B: Backend>(page: Page, turn: usize) {
        mmu.write(page.slot, page.leaf);
        disturb(turn);
    }

    let [one, two, three, four] = own.pages();
    lazy_mmu::with::<B, _>(|mmu| {
        mmu.write(one.slot, one.leaf);
        lazy_mmu::join::<B, _>(|mmu| mmu.write(two.slot, two.leaf));
        map::<B>(three, turn);
    });
    one.check();
    two.check();
    three.check();
    map::<B>(four, turn + 1);
    four.check();
}

fn closure_with_proofs<B: Backend>(_: &mut Task<B>, own: &mut Own, turn: usize) {
    let [one, two, three] = own.pages();
    lazy_mmu::with::<B, _>(|mmu| {
        let pending = mmu.write_pending(one.slot, one.leaf, one);
        disturb(turn);
        pending.get(&mmu.flush()).check();
        let pending = mmu.write_pending(two.slot, two.leaf, two);
        let visible = mmu.write_sync(two.slot, two.leaf);
        pending.get(&visible).check();
    });
    let page = lazy_mmu::visible::<B, _>(|mmu| {
        let pending = mmu.write_pending(three.slot, three.leaf, three);
        disturb(turn + 1);
        pending
    });
    page.check();
}

fn closure_with_flush<B: Backend>(_: &mut Task<B>, own: &mut Own, turn: usize) {
    let [one, two, three] = own.pages();
    lazy_mmu::with::<B, _>(|mmu| {
        disturb(turn);
        mmu.write_range(slice::from_ref(one.slot), |_| one.leaf);
        disturb(turn + 1);
        mmu.flush();
        one.check();
        // The rest does not use the guard of the section.
        two.write::<B>();
        lazy_mmu::flush::<B>();
        two.check();
        three.write::<B>();
    });
    three.check();
}

fn handle<B: Backend>(task: &mut Task<B>, own: &mut Own, turn: usize) {
    let [one, two] = own.pages();
    let mut section = task.enter();
    section.write(one.slot, one.leaf);
    disturb(turn);
    section.leave();
    one.check();
    let mut section = task.enter();
    section.write(two.slot, two.leaf);
    disturb(turn + 1);
    drop(section);
    disturb(turn + 2);
    two.check();
}

fn nested_handle<B: Backend>(task: &mut Task<B>, own: &mut Own, turn: usize) {
    let [one, two, three] = own.pages();
    let mut outer = task.enter();
    outer.write(one.slot, one.leaf);
    let mut inner = outer.nest();
    inner.write(two.slot, two.leaf);
    disturb(turn);
    inner.leave();
    one.check();
    two.check();
    outer.write(three.slot, three.leaf);
    outer.flush();
    three.check();
    drop(outer);
}

fn paused_section<B: Backend>(_: &mut Task<B>, own: &mut Own, turn: usize) {
    let [one, two, three, four] = own.pages();
    lazy_mmu::with::<B, _>(|mmu| {
        mmu.write(one.slot, one.leaf);
        disturb(turn);
        mmu.paused(|| {
            one.check();
            two.write::<B>();
            two.check();
            lazy_mmu::with::<B, _>(|inert| {
                inert.write(three.slot, three.leaf);
                three.check();
            });
        });
        mmu.write(four.slot, four.leaf);
        disturb(turn + 1);
    });
    four.check();
}

fn paused_attribute<B: Backend>(_: &mut Task<B>, own: &mut Own, turn: usize) {
    #[lazy_mmu(backend = B, paused)]
    fn map<B: Backend>(before: Page, page: Page) {
        before.check();
        page.write::<B>();
        page.check();
    }

    let [one, two, three] = own.pages();
    lazy_mmu::with::<B, _>(|mmu| {
        mmu.write(one.slot, one.leaf);
        disturb(turn);
        map::<B>(one, two);
        mmu.write(three.slot, three.leaf);
    });
    three.check();
}

fn forgotten_section<B: Backend>(task: &mut Task<B>, own: &mut Own, turn: usize) {
    let page = own.page();
    let mut section = task.enter();
    section.write(page.slot, page.leaf);
    core::mem::forget(section);
    disturb(turn);
    task.check_idle().expect("its forgotten section is left");
    page.check();
}

fn forgotten_before_another<B: Backend>(task: &mut Task<B>, own: &mut Own, turn: usize) {
    let [one, two] = own.pages();
    let mut section = task.enter();
    section.write(one.slot, one.leaf);
    core::mem::forget(section);
    disturb(turn);
    let mut section = task.enter();
    one.check();
    section.write(two.slot, two.leaf);
    disturb(turn + 1);
    drop(section);
    two.check();
}

fn without_section<B: Backend>(_: &mut Task<B>, own: &mut Own, turn: usize) {
    let [one, two, three] = own.pages();
    one.write::<B>();
    one.check();
    lazy_mmu::write_range::<B, _>(slice::from_ref(two.slot), |_| two.leaf);
    disturb(turn);
    two.check();
    lazy_mmu::write_sync::<B, _>(three.slot, three.leaf);
    three.check();
}

/// The stores of other code, of which the section learns afterwards.
fn noted_stores<B: Backend>(_: &mut Task<B>, own: &mut Own, turn: usize) {
    let store = |page: Page| page.slot.store(page.leaf.0, Relaxed);
    let [one, two, three] = own.pages();
    lazy_mmu::with::<B, _>(|mmu| {
        mmu.note_stores(|| store(one));
        disturb(turn);
    });
    one.check();
    lazy_mmu::note_stores::<B, _>(|| store(two));
    two.check();
    store(three);
    lazy_mmu::note_store::<B>();
    three.check();
}

/// A section of the handle inside the section of a caller that has none.
fn section_of_a_caller<B: Backend>(task: &mut Task<B>, own: &mut Own, turn: usize) {
    let [one, two] = own.pages();
    lazy_mmu::with::<B, _>(|mmu| {
        mmu.write(one.slot, one.leaf);
        let mut section = task.enter();
        section.write(two.slot, two.leaf);
        disturb(turn);
        section.leave();
        one.check();
        two.check();
    });
}

/// Invalidations, which do what the pending pair does.
fn invalidations<B: Backend>(_: &mut Task<B>, own: &mut Own, turn: usize) {
    let [one, two, three] = own.pages();
    // The frame of a page must not be mapped elsewhere before the invalidation.
    let [other_one, other_two, other_three] =
        [3, 2, 1].map(|it| own.page_at(own.mapped - it, own.round + 1));
    lazy_mmu::with::<B, _>(|mmu| {
        mmu.write(one.slot, one.leaf);
        mmu.flush();
        one.check();
        let old = mmu.unmap(one.slot, one.range());
        mmu.write(two.slot, other_two.leaf);
        disturb(turn);
        old.invalidate(mmu);
        other_two.check();
        mmu.write(two.slot, Leaf::INVALID);
        mmu.write(three.slot, three.leaf);
        mmu.flush_tlb_all();
        three.check();
        mmu.write(three.slot, Leaf::INVALID);
        mmu.write(one.slot, other_one.leaf);
        disturb(turn + 1);
        lazy_mmu::flush_tlb_all::<B>();
        other_one.check();
        mmu.write(two.slot, two.leaf);
        mmu.write(three.slot, other_three.leaf);
    });
    two.check();
    other_three.check();
}

/// The same page maps one frame and then the other one.
fn change_of_frame<B: Backend>(_: &mut Task<B>, own: &mut Own, turn: usize) {
    let page = own.page();
    let other = own.page_at(own.mapped - 1, own.round + 1);
    page.write::<B>();
    page.check();
    aarch64::break_before_make::<B, _>(page.slot, page.range(), |_| other.leaf);
    other.check();
    lazy_mmu::with::<B, _>(|mmu| {
        mmu.break_before_make(page.slot, page.range(), |_| page.leaf);
        disturb(turn);
    });
    page.check();
}

/// A table of the thread's own is filled, linked, used, unlinked and emptied.
fn table<B: Backend>(_: &mut Task<B>, own: &mut Own, turn: usize) {
    let link = &LINKS.get().expect("it is set")[own.number];
    let table = &TABLES[own.number];
    let children = &table.0[..1];
    let page = Page {
        address: TABLES_BASE + (1 + own.number as u64) * TABLE_SIZE,
        ..own.page_at(0, turn)
    };
    lazy_mmu::with::<B, _>(|mmu| {
        mmu.link_table(link, Table::at(table.address()), children, |_| page.leaf);
        disturb(turn);
    });
    page.check();
    lazy_mmu::write::<B, _>(link, Table::INVALID);
    disturb(turn + 1);
    lazy_mmu::flush_tlb_kernel_pgtable::<B>(page.range());
    children[0].store(0, Relaxed);
}

/// Handles an interrupt, in the middle of any thread. It rarely uses a mapping.
fn handler() {
    #[lazy_mmu(backend = Mmu, mmu)]
    fn map(page: Page) {
        mmu.write(page.slot, page.leaf);
        page.check();
    }

    let turn = HANDLED.fetch_add(1, Relaxed);
    let cpu = cpu();
    for thread in 0..threads().len() {
        change_flag(thread, cpu);
    }
    if turn.is_multiple_of(16) {
        let mut own = Own::new(THREADS + cpu);
        own.round = turn / 16;
        let page = own.page();
        map(page);
        own.clear::<Mmu>();
    }
}

/// The number of users that change other threads' flags: the handlers of each CPU, and the threads.
/// Each has its own bit in each flags word.
const CHANGERS: usize = CPUS + THREADS;
/// The first of these bits.
const FIRST_FLAG: usize = 32;
/// Whether each user has set its bit, for each thread's flags word.
static IS_SET: [[AtomicBool; CHANGERS]; THREADS] =
    [const { [const { AtomicBool::new(false) }; CHANGERS] }; THREADS];
/// The number of changes.
static CHANGES: AtomicU64 = AtomicU64::new(0);

fn change_flag_of_another(number: usize, turn: usize) {
    change_flag((number + 1 + turn) % threads().len(), CPUS + number);
}

/// Sets or clears the bit of `changer` in the flags word of a thread, and checks that the bit had
/// its expected value. The backends of half of the threads use that word.
fn change_flag(thread: usize, changer: usize) {
    let flags = &threads()[thread].infos[0].flags;
    let is_set = &IS_SET[thread][changer];
    let bit = 1 << (FIRST_FLAG + changer);
    // Only this user writes to it.
    let was_set = is_set.load(Relaxed);
    let before = if was_set {
        flags.fetch_and(!bit, Relaxed)
    } else {
        flags.fetch_or(bit, Relaxed)
    };
    assert_eq!(
        before & bit != 0,
        was_set,
        "C10: another CPU's flag was lost"
    );
    is_set.store(!was_set, Relaxed);
    CHANGES.fetch_add(1, Relaxed);
}

/// Checks the final state, and prints the counts.
fn report(sections: usize) {
    let sum = |count: fn(&Thread) -> &AtomicU64| -> u64 {
        let counts = threads().iter().map(|it| count(it).load(Relaxed));
        counts.sum()
    };
    let migrations = sum(|it| &it.migrations.all);
    let in_section = sum(|it| &it.migrations.in_section);
    let pending = sum(|it| &it.migrations.pending);
    let used = USED.load(Relaxed);
    let handled = HANDLED.load(Relaxed);
    let changes = CHANGES.load(Relaxed);
    for (number, thread) in threads().iter().enumerate() {
        let [word, byte] = &thread.infos;
        assert_eq!(byte.lazy_mmu.load(Relaxed), 0);
        assert_eq!(byte.flags.load(Relaxed), FOREIGN_FLAGS);
        // Handlers change their bits during this check.
        let of_threads = |flags: u64| flags & !(((1 << CPUS) - 1) << FIRST_FLAG);
        let expected = (CPUS..CHANGERS)
            .filter(|&it| IS_SET[number][it].load(Relaxed))
            .fold(FOREIGN_FLAGS, |flags, it| flags | 1 << (FIRST_FLAG + it));
        assert_eq!(of_threads(word.flags.load(Relaxed)), expected);
    }
    println!(
        "C10 C12 {sections} sections of {THREADS} threads on {CPUS} CPUs, with {used} mappings: \
         {migrations} migrations, {in_section} of them inside a section, {pending} with a pair \
         pending; {handled} interrupts, {changes} changes of others' flags; none lost"
    );
    let enough = sections as u64 / 100;
    assert!(
        in_section > enough && pending > enough / 2 && changes > sections as u64,
        "more than {enough} migrations inside a section are expected"
    );
}
