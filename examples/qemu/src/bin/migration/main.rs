//! C10 and C12: threads migrate to other CPUs in the middle of their sections, while other CPUs set
//! and clear other bits of their flags words.
//!
//! A thread is preempted by the timer, by an interrupt from another CPU, and when it yields or asks
//! for another CPU. The words behind the level are these:
//!
//! - the number of sections;
//! - the lowest number of the counter's ticks between two timer interrupts;
//! - the number of sections of each form in which a thread asks once for another CPU, or 0 for
//!   never.
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

mod forms;

use core::array::from_fn;
use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};

use lazy_mmu::aarch64::descriptor::Leaf;
use lazy_mmu::aarch64::{Aarch64, Kernel, MAX_TLBI_OPS};
use lazy_mmu::{Backend, Bits, Storage as _, Task, VirtualRange, lazy_mmu};
use lazy_mmu_examples::Error;
use lazy_mmu_examples::page::Frame;
use lazy_mmu_qemu::access::read_mapped;
use lazy_mmu_qemu::arena::{Arena, WORD};
use lazy_mmu_qemu::scheduler::{self, ANY, Thread, current, spawn, threads, yield_now};
use lazy_mmu_qemu::smp::{self, CPUS, cpu, relax};
use lazy_mmu_qemu::thread::{Byte, FOREIGN_FLAGS, Mmu};
use lazy_mmu_qemu::virt::pages;
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

static ARENA: Once<Arena> = Once::new();
/// The lowest number of the counter's ticks between two timer interrupts.
static TICKS: AtomicU64 = AtomicU64::new(0);
/// The number of turns of a form in which a thread asks once for another CPU. It is 0 for never.
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
    forms::init(&mut mm)?;
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

/// Maps two pages on this CPU, and uses them on CPU 0, which waits for a thread. Only the context
/// switch synchronizes that CPU for the first page, and only it completes the store of the second.
fn visit_first_cpu<B: Backend>(own: &mut Own) {
    let [one, two] = own.pages();
    one.write::<B>();
    one.check();
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
pub(crate) struct Own {
    pub(crate) number: usize,
    arena: Arena,
    /// The number of pages that are mapped. They are the first ones.
    pub(crate) mapped: usize,
    /// The number of times that all pages were unmapped.
    pub(crate) round: usize,
}

/// A page, with the descriptor and the contents of the frame that it is to map.
#[derive(Clone, Copy)]
pub(crate) struct Page {
    pub(crate) slot: &'static AtomicU64,
    pub(crate) leaf: Leaf,
    pub(crate) address: u64,
    pub(crate) word: u64,
}

impl Page {
    /// Uses the mapping. A fault is unexpected, and ends the program.
    pub(crate) fn check(&self) {
        assert_eq!(read_mapped(self.address), self.word);
    }

    pub(crate) fn range(&self) -> VirtualRange {
        pages(self.address, 1)
    }

    pub(crate) fn write<B: Backend>(&self) {
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
    pub(crate) fn page(&mut self) -> Page {
        self.mapped += 1;
        self.page_at(self.mapped - 1, self.round)
    }

    pub(crate) fn pages<const N: usize>(&mut self) -> [Page; N] {
        from_fn(|_| self.page())
    }

    pub(crate) fn page_at(&self, number: usize, round: usize) -> Page {
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
        match self.round % 4 {
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
            2 => lazy_mmu::with::<B, _>(|mmu| mmu.unmap_range(slots, range).invalidate(mmu)),
            _ => {
                // The range is so long that everything is invalidated.
                let range = pages(first.address, MAX_TLBI_OPS + 1);
                lazy_mmu::write_range::<B, _>(slots, |_| Leaf::INVALID);
                lazy_mmu::flush_tlb_kernel_range::<B>(range);
            }
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
    let forms = forms::all::<B>();
    for turn in 0..SECTIONS.load(Relaxed) {
        if own.mapped + MOST > PAGES {
            own.clear::<B>();
        }
        let before = own.mapped;
        forms[turn % forms.len()](&mut task, &mut own, turn / forms.len());
        assert_eq!(B::current().load(), Bits::EMPTY, "the mode is off");
        USED.fetch_add((own.mapped - before) as u64, Relaxed);
        change_flags(CPUS + number);
    }
    task.check_idle().expect("all sections are left");
}

/// Disturbs a thread in the middle of its section.
///
/// At times it interrupts this CPU or another one, which then looks for another thread. At times it
/// yields. At times it asks for another CPU, and waits until it runs there.
pub(crate) fn disturb(turn: usize) {
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

/// Handles an interrupt, in the middle of any thread. It rarely uses a mapping.
fn handler() {
    #[lazy_mmu(backend = Mmu, mmu)]
    fn map(page: Page) {
        mmu.write(page.slot, page.leaf);
        page.check();
    }

    let turn = HANDLED.fetch_add(1, Relaxed);
    let cpu = cpu();
    change_flags(cpu);
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

/// Changes the bit of `changer` in the flags words of all threads.
fn change_flags(changer: usize) {
    for thread in 0..threads().len() {
        change_flag(thread, changer);
    }
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
