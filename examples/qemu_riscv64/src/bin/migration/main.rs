//! C10, C12, R03 and R06: threads migrate to other harts in the middle of their sections, while
//! other harts set and clear other bits of their flags words.
//!
//! A thread is preempted by the timer, by an interrupt from another hart, and when it yields or
//! asks for another hart. The words behind the mode are these:
//!
//! - the number of sections;
//! - the lowest number of the counter's ticks between two timer interrupts;
//! - the number of sections of each form in which a thread asks once for another hart, or 0 for
//!   never;
//! - how the harts reach each other: `sbi`, `interrupt` or `on-fault` (see [`policy`]).
//!
//! A lost bit and a mode that stays on end the program. The observer reports each access that
//! relies on a fence that was not executed. The program therefore uses a mapping directly behind
//! each fence that is to make it visible. Its entries are invalid before each store, or have
//! another frame.
//!
//! With `on-fault`, a hart that keeps an invalid entry faults, and the emulated one does not. The
//! program raises an exception in the place of a fault: before an access to a page that another
//! hart has mapped, and before the first access behind a migration. Some stacks are newly mapped
//! too.

#![no_std]
#![no_main]

#[path = "../../../../qemu/src/bin/migration/flags.rs"]
mod flags;
#[path = "../../../../qemu/src/bin/migration/forms.rs"]
mod forms;
mod other_harts;
#[path = "../../../../qemu/src/bin/migration/own.rs"]
mod own;

use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};

pub(crate) use lazy_mmu::riscv64::MAX_OPS;
use lazy_mmu::riscv64::descriptor::KERNEL_DATA;
use lazy_mmu::{Backend, Bits, Storage as _, Task, lazy_mmu};
use lazy_mmu_examples::format::Leaf;
use lazy_mmu_examples::page::{LEAF_LEVEL, VMALLOC_BASE};
use lazy_mmu_examples::{Error, MemoryManager, PageRange};
pub(crate) use lazy_mmu_qemu_riscv64 as kernel;
use lazy_mmu_qemu_riscv64::arena::Arena;
use lazy_mmu_qemu_riscv64::boot::{STACK_SIZE, Stack};
use lazy_mmu_qemu_riscv64::hart;
use lazy_mmu_qemu_riscv64::policy::{self, Policy};
use lazy_mmu_qemu_riscv64::scheduler::{
    self, ANY, Thread, current, relax, spawn, threads, yield_now,
};
use lazy_mmu_qemu_riscv64::tasks::masked;
use lazy_mmu_qemu_riscv64::thread::{ByteMmu, HARDIRQ, Mmu};
use lazy_mmu_qemu_riscv64::virt::{Virt, entries};
use lazy_mmu_qemu_riscv64::{access, interrupts, program, smp};
use semihosting::println;
use spin::Once;

use flags::{CHANGES, change_flags};
use own::{Own, Page};

/// The number of harts.
const CPUS: usize = 4;
/// The number of threads. One half has the bits in a flags word, and the other half in a byte.
const THREADS: usize = 8;
/// The first threads have stacks that are newly mapped. Those of the others are in the image's
/// identity map.
const MAPPED_STACKS: usize = 2;
/// The pages of each thread.
const PAGES: usize = 16;
/// The most pages that one section maps.
const MOST: usize = 4;
/// The threads and the handlers of the harts have pages and frames of their own.
const OWNERS: usize = THREADS + CPUS;
/// The frames of each, which it maps in turns.
const FRAMES: usize = 2;
/// The address of the first mapped stack. A page between two stacks is not mapped.
const STACKS_BASE: u64 = VMALLOC_BASE + (2 << 30);
const STACK_PAGES: usize = STACK_SIZE / 4096;

static ARENA: Once<Arena> = Once::new();
static STACKS: [Stack; THREADS] = [const { Stack::new() }; THREADS];
/// The lowest number of the counter's ticks between two timer interrupts.
static TICKS: AtomicU64 = AtomicU64::new(0);
/// The number of turns of a form in which a thread asks once for another hart. It is 0 for never.
static FORCED: AtomicUsize = AtomicUsize::new(0);
/// The number of sections of each thread.
static SECTIONS: AtomicUsize = AtomicUsize::new(0);
/// The number of the next thread that begins.
static NEXT: AtomicUsize = AtomicUsize::new(0);
/// The number of interrupt handlers that have run.
static HANDLED: AtomicUsize = AtomicUsize::new(0);
/// The number of mappings that threads have used.
static USED: AtomicU64 = AtomicU64::new(0);

lazy_mmu_qemu_riscv64::program!(run);

fn run() -> Result<(), Error> {
    let sections = program::number(1, 10_000);
    TICKS.store(program::number(2, 2000) as u64, Relaxed);
    FORCED.store(program::number(3, 64), Relaxed);
    let policy = program::with_word(4, |word| match word {
        Some("sbi") | None => Policy::Sbi,
        Some("interrupt") => Policy::Interrupt,
        Some("on-fault") => Policy::OnFault,
        Some(other) => panic!("word 4 is {other}, and not a policy"),
    });
    assert_eq!(smp::others().count() + 1, CPUS, "the number of harts");
    masked(scheduler::init_hart);
    // The others may interrupt this hart.
    interrupts::init();
    let (mut mm, arena) = Arena::boot::<Mmu>(OWNERS * PAGES, OWNERS * FRAMES)?;
    ARENA.call_once(|| arena);
    forms::init(&mut mm)?;
    let stacks = (STACK_PAGES + 1) * MAPPED_STACKS;
    mm.build_tables(PageRange::new(STACKS_BASE, stacks)?)?;
    SECTIONS.store(sections.div_ceil(THREADS), Relaxed);
    // All harts have fenced for the tables. From here on, they are reached as the word says.
    policy.choose();
    smp::run_on_others(|| {
        masked(scheduler::init_hart);
        other_harts::follow();
        scheduler::idle_until(|| false);
        unreachable!("a hart never ceases to be idle")
    });
    other_harts::lead();
    interrupts::on_return(scheduler::preempt);
    for (number, stack) in STACKS.iter().enumerate() {
        let main = if number.is_multiple_of(2) {
            thread::<Mmu>
        } else {
            thread::<ByteMmu>
        };
        let top = if number < MAPPED_STACKS {
            map_stack(&mm, number)?
        } else {
            stack.top()
        };
        // The thread uses this mapping first.
        let page = Own::new(number).page();
        page.write::<Mmu>();
        page.check();
        let second = if number == 0 { another_hart() } else { ANY };
        // SAFETY: each thread has its own stack.
        unsafe { spawn(main, second, top) };
        if number == 0 {
            scheduler::idle_until(|| WAS_HERE.load(Relaxed));
        }
    }
    begin();
    scheduler::idle_until(|| threads().iter().all(Thread::is_finished));
    report(sections, policy);
    Ok(())
}

/// Returns the number of a hart that is not the first one.
fn another_hart() -> usize {
    smp::others().next().expect("there are several harts")
}

/// Maps the stack of a thread, and returns the address behind it.
#[lazy_mmu(backend = Mmu, mmu)]
fn map_stack(mm: &MemoryManager<'static, Virt<Mmu>>, number: usize) -> Result<usize, Error> {
    let end = STACKS[number].top() as u64;
    let start = STACKS_BASE + ((STACK_PAGES + 1) * number * 4096) as u64;
    let slots = &entries(mm, start, LEAF_LEVEL)?[..STACK_PAGES];
    mmu.write_range(slots, |page| {
        Leaf::page(end - (STACK_SIZE - page * 4096) as u64, KERNEL_DATA)
    });
    Ok(usize::try_from(start).expect("64 bits") + STACK_SIZE)
}

/// Whether the first thread has visited the first hart.
static WAS_HERE: AtomicBool = AtomicBool::new(false);

/// Maps two pages on this hart, and uses them on the first hart, which waits for a thread. Only the
/// context switch makes that hart fence for the first page on fault, and only the release of the
/// queue orders the store of the second.
fn visit_first_hart<B: Backend>(own: &mut Own) {
    let [one, two] = own.pages();
    one.write::<B>();
    one.check();
    lazy_mmu::with::<B, _>(|mmu| {
        mmu.write(two.slot, two.leaf);
        current().pin(smp::first());
        yield_now();
        access::read_mapped(one.address);
    });
    two.check();
    WAS_HERE.store(true, Relaxed);
    current().pin(another_hart());
    yield_now();
    current().pin(ANY);
}

/// Waits until each other hart has begun a thread, and lets the timer interrupt this hart.
fn begin() {
    static BEGUN: AtomicUsize = AtomicUsize::new(0);

    if hart::number() != smp::first() {
        BEGUN.fetch_add(1, Relaxed);
    }
    while BEGUN.load(Relaxed) < CPUS - 1 {
        relax();
    }
    interrupts::start_timer(TICKS.load(Relaxed), handler);
}

/// Reads a word through the MMU. If a hart may keep the invalid entry, and the policy is that the
/// fault repairs it, the exception precedes the access.
pub(crate) fn read_mapped(address: u64) -> u64 {
    let thread = current();
    let in_interrupt = thread.info.preempt_count.load(Relaxed) >= HARDIRQ;
    // The thread may have executed its own fence on another hart, and then set the flags on this
    // one. The handler of an interrupt has fenced on this hart.
    if !in_interrupt && thread.migrations.take() {
        policy::may_fault_next();
    }
    access::read_mapped(address)
}

/// Opens sections, and uses their mappings. Each thread runs this.
fn thread<B: Backend>() {
    let number = NEXT.fetch_add(1, Relaxed);
    let mut own = Own::new(number);
    own.page().check();
    if number == 0 {
        visit_first_hart::<B>(&mut own);
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
/// At times it interrupts this hart or another one, which then looks for another thread. At times
/// it yields. At times it asks for another hart, and waits until it runs there.
pub(crate) fn disturb(turn: usize) {
    match turn % 8 {
        0 => interrupts::send_to(turn / 8 % CPUS),
        3 => yield_now(),
        _ => {}
    }
    let every = FORCED.load(Relaxed);
    if every != 0 && turn % every == 1 {
        // The thread may be on another hart after this, which does not matter.
        let there = (hart::number() + 1) % CPUS;
        current().pin(there);
        while hart::number() != there {
            yield_now();
        }
        current().pin(ANY);
    }
}

/// Returns the flags word of a thread, which others change too.
fn shared_flags(thread: &Thread) -> &AtomicU64 {
    &thread.info.flags
}

/// Returns the preempt count of the current thread.
fn preempt_counts() -> [&'static AtomicU32; 1] {
    [&current().info.preempt_count]
}

/// Handles an interrupt of the timer, in the middle of any thread. It rarely uses a mapping.
fn handler() {
    #[lazy_mmu(backend = Mmu, mmu)]
    fn map(page: Page) {
        mmu.write(page.slot, page.leaf);
        page.check();
    }

    let turn = HANDLED.fetch_add(1, Relaxed);
    let hart = hart::number();
    change_flags(hart);
    if turn.is_multiple_of(16) {
        let mut own = Own::new(THREADS + hart);
        own.round = turn / 16;
        let page = own.page();
        map(page);
        own.clear::<Mmu>();
    }
}

/// Checks the final state, and prints the counts.
fn report(sections: usize, policy: Policy) {
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
        assert_eq!(thread.info.lazy_mmu.load(Relaxed), 0);
    }
    flags::check();
    println!(
        "C10 C12 R03 R06 {policy:?}: {sections} sections of {THREADS} threads on {CPUS} harts, \
         with {used} mappings: {migrations} migrations, {in_section} of them inside a section, \
         {pending} with a pair pending; {handled} interrupts, {changes} changes of others' flags; \
         none lost"
    );
    let enough = sections as u64 / 100;
    assert!(
        in_section > enough && pending > enough / 2 && changes > sections as u64,
        "more than {enough} migrations inside a section are expected"
    );
}
