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

mod flags;
mod forms;
mod own;

use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};

pub(crate) use lazy_mmu::aarch64::MAX_TLBI_OPS as MAX_OPS;
use lazy_mmu::aarch64::{Aarch64, Kernel};
use lazy_mmu::{Backend, Bits, Storage as _, Task, lazy_mmu};
use lazy_mmu_examples::Error;
pub(crate) use lazy_mmu_qemu as kernel;
pub(crate) use lazy_mmu_qemu::access::read_mapped;
use lazy_mmu_qemu::arena::Arena;
use lazy_mmu_qemu::scheduler::{self, ANY, Thread, current, spawn, threads, yield_now};
pub(crate) use lazy_mmu_qemu::smp::CPUS;
use lazy_mmu_qemu::smp::{self, cpu, relax};
use lazy_mmu_qemu::thread::{Byte, FOREIGN_FLAGS, Mmu};
use lazy_mmu_qemu::{interrupts, program};
use semihosting::println;
use spin::Once;

use flags::{CHANGES, change_flags};
use own::{Own, Page};

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

/// Returns the flags word of a thread, which others change too.
fn shared_flags(thread: &Thread) -> &AtomicU64 {
    &thread.infos[0].flags
}

/// Returns the preempt counts of the current thread.
fn preempt_counts() -> [&'static AtomicU32; 2] {
    current().infos.each_ref().map(|it| &it.preempt_count)
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
    for thread in threads() {
        let [_, byte] = &thread.infos;
        assert_eq!(byte.lazy_mmu.load(Relaxed), 0);
        assert_eq!(byte.flags.load(Relaxed), FOREIGN_FLAGS);
    }
    flags::check();
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
