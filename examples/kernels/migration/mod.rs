//! The threads of the programs `migration`, which migrate to other CPUs in the middle of their
//! sections, while other CPUs set and clear other bits of their flags words.
//!
//! A thread is preempted by the timer, by an interrupt from another CPU, and when it yields or asks
//! for another CPU. The words of the command line after the one of the machine are these:
//!
//! - the number of sections;
//! - the lowest number of the counter's ticks between two timer interrupts;
//! - the number of sections of each form in which a thread asks once for another CPU, or 0 for
//!   never.
//!
//! A lost bit and a mode that stays on end the program. Its output depends on the machine's speed.
//! The program checks itself that threads have migrated inside their sections often enough.
//!
//! An emulated CPU does not need the barriers. The observer reports each access that relies on a
//! barrier that was not executed. The program therefore has sections of every form, and uses a
//! mapping directly after each barrier that is to make it visible. Its entries are invalid before
//! each store, or have another frame.
//!
//! The root of each program has what only the architecture knows: the library by the name `kernel`,
//! the limit `MAX_OPS`, and the functions `read_mapped`, `start_timer` and
//! `look_for_another_thread`.

mod flags;
mod forms;
pub(crate) mod own;

use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};

use lazy_mmu::{Backend, Bits, Storage as _, Task, lazy_mmu};
use lazy_mmu_examples::{Error, MemoryManager};
use semihosting::println;
use spin::Once;

use crate::kernel::arena::Arena;
use crate::kernel::scheduler::{self, ANY, Thread, current, threads, yield_now};
use crate::kernel::smp::{CPUS, cpu, relax};
use crate::kernel::thread::Mmu;
use crate::kernel::thread_info::FOREIGN_FLAGS;
use crate::kernel::virt::Virt;
use crate::kernel::{self, interrupts, program};

use flags::{CHANGES, change_flags};
use own::{Own, Page};

/// The number of threads. One half has the bits in a flags word, and the other half in a byte.
pub(crate) const THREADS: usize = 8;
/// The pages of each thread.
const PAGES: usize = 16;
/// The most pages that one section maps.
const MOST: usize = 4;
/// The threads and the handlers of the CPUs have pages and frames of their own.
const OWNERS: usize = THREADS + CPUS;
/// The frames of each, which it maps in turns.
const FRAMES: usize = 2;

static ARENA: Once<Arena> = Once::new();
/// The CPU that runs the program, and afterwards threads.
static FIRST: AtomicUsize = AtomicUsize::new(0);
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

/// Makes the running code an idle thread, reads the command line, and boots the memory manager.
///
/// Returns it, and the number of all sections, which is `default` without a word.
pub(crate) fn boot(default: usize) -> Result<(MemoryManager<'static, Virt<Mmu>>, usize), Error> {
    let sections = program::number(1, default);
    TICKS.store(program::number(2, 2000) as u64, Relaxed);
    FORCED.store(program::number(3, 64), Relaxed);
    SECTIONS.store(sections.div_ceil(THREADS), Relaxed);
    scheduler::init_cpu();
    FIRST.store(cpu(), Relaxed);
    let (mut mm, arena) = Arena::boot::<Mmu>(OWNERS * PAGES, OWNERS * FRAMES, false)?;
    ARENA.call_once(|| arena);
    forms::init(&mut mm)?;
    Ok((mm, sections))
}

/// Runs all threads, and reports. `spawn` makes the thread with this number for this CPU.
pub(crate) fn run(
    rows: &str,
    sections: usize,
    spawn: impl Fn(usize, usize) -> Result<(), Error>,
) -> Result<(), Error> {
    for number in 0..THREADS {
        // The thread uses this mapping first.
        let page = Own::new(number).page();
        page.write::<Mmu>();
        page.check();
        if number == 0 {
            spawn(number, another_cpu())?;
            scheduler::idle_until(|| WAS_HERE.load(Relaxed));
        } else {
            spawn(number, ANY)?;
        }
    }
    begin();
    scheduler::idle_until(|| threads().iter().all(Thread::is_finished));
    report(rows, sections);
    Ok(())
}

/// Returns the number of a CPU that is not the first one.
fn another_cpu() -> usize {
    (FIRST.load(Relaxed) + 1) % CPUS
}

/// Whether the first thread has visited the first CPU.
static WAS_HERE: AtomicBool = AtomicBool::new(false);

/// Maps two pages on this CPU, and uses them on the first CPU, which waits for a thread. Only the
/// context switch makes that CPU see the first page, and only it orders the store of the second.
fn visit_first_cpu<B: Backend>(own: &mut Own) {
    let [one, two] = own.pages();
    one.write::<B>();
    one.check();
    lazy_mmu::with::<B, _>(|mmu| {
        mmu.write(two.slot, two.leaf);
        current().pin(FIRST.load(Relaxed));
        yield_now();
        // On RISC-V, `check` may raise an exception first, which fences.
        assert_eq!(kernel::access::read_mapped(one.address), one.word);
    });
    two.check();
    WAS_HERE.store(true, Relaxed);
    current().pin(another_cpu());
    yield_now();
    current().pin(ANY);
}

/// Waits until each other CPU has begun a thread, and lets the timer interrupt this CPU.
fn begin() {
    static BEGUN: AtomicUsize = AtomicUsize::new(0);

    if cpu() != FIRST.load(Relaxed) {
        BEGUN.fetch_add(1, Relaxed);
    }
    while BEGUN.load(Relaxed) < CPUS - 1 {
        relax();
    }
    crate::start_timer(TICKS.load(Relaxed));
}

/// Opens sections, and uses their mappings. Each thread runs this.
pub(crate) fn thread<B: Backend>() {
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
            crate::look_for_another_thread();
        }
        current().pin(ANY);
    }
}

/// Handles an interrupt, in the middle of any thread. It rarely uses a mapping.
pub(crate) fn handler() {
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

/// Checks the final state, and prints the counts after the `rows` of the behaviours.
fn report(rows: &str, sections: usize) {
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
        for info in &thread.infos {
            assert_eq!(info.lazy_mmu.load(Relaxed), 0);
        }
        for info in &thread.infos[1..] {
            assert_eq!(info.flags.load(Relaxed), FOREIGN_FLAGS);
        }
    }
    flags::check();
    println!(
        "{rows} {sections} sections of {THREADS} threads on {CPUS} CPUs, with {used} mappings: \
         {migrations} migrations, {in_section} of them inside a section, {pending} with a pair \
         pending; {handled} interrupts, {changes} changes of others' flags; none lost"
    );
    let enough = sections as u64 / 100;
    assert!(
        in_section > enough && pending > enough / 2 && changes > sections as u64,
        "more than {enough} migrations inside a section are expected"
    );
}
