//! C10 and C12: threads migrate to other CPUs in the middle of their sections, while other CPUs set
//! and clear other bits of their flags words.
//!
//! A thread is preempted by the timer, by an interrupt from another CPU, and when it asks for
//! another CPU. The words behind the level are these:
//!
//! - the number of sections;
//! - the lowest number of the counter's ticks between two timer interrupts;
//! - the number of sections in which a thread asks once for another CPU, or 0 for never.
//!
//! A lost bit, a missing pair before an access, and a mode that stays on end the program. Its
//! output depends on the machine's speed. The program checks itself that threads have migrated
//! inside their sections often enough.

#![no_std]
#![no_main]

use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};

use lazy_mmu::aarch64::descriptor::Leaf;
use lazy_mmu::{Backend, Bits, Storage as _, Task, is_active, lazy_mmu};
use lazy_mmu_examples::Error;
use lazy_mmu_qemu::arena::Arena;
use lazy_mmu_qemu::ledger::Ledger;
use lazy_mmu_qemu::scheduler::{self, ANY, Thread, current, spawn, threads, yield_now};
use lazy_mmu_qemu::smp::{CPUS, cpu};
use lazy_mmu_qemu::thread::{ByteMmu, FOREIGN_FLAGS, Mmu};
use lazy_mmu_qemu::{interrupts, program, smp};
use semihosting::println;
use spin::Once;

/// The number of threads. One half has the bits in a flags word, and the other half in a byte.
const THREADS: usize = 8;
/// The pages of each thread. The pages of the CPUs' handlers follow those of all threads.
const PAGES: usize = 4;

static ARENA: Once<Arena> = Once::new();
/// The lowest number of the counter's ticks between two timer interrupts.
static TICKS: AtomicU64 = AtomicU64::new(0);
/// The number of turns in which a thread asks once for another CPU. It is 0 for never.
static FORCED: AtomicUsize = AtomicUsize::new(0);
/// The number of sections of each thread.
static SECTIONS: AtomicUsize = AtomicUsize::new(0);
/// The number of the next thread that begins.
static NEXT: AtomicUsize = AtomicUsize::new(0);
/// The number of interrupt handlers that have used a mapping.
static HANDLED: AtomicU64 = AtomicU64::new(0);

lazy_mmu_qemu::program!(run);

fn run() -> Result<(), Error> {
    let sections = program::number(1, 100_000);
    TICKS.store(program::number(2, 2000) as u64, Relaxed);
    FORCED.store(program::number(3, 64), Relaxed);
    scheduler::init_cpu();
    let (_mm, arena) = Arena::boot::<Mmu>(THREADS * PAGES + CPUS, THREADS + CPUS, false)?;
    ARENA.call_once(|| arena);
    SECTIONS.store(sections.div_ceil(THREADS), Relaxed);
    interrupts::init(CPUS, handler);
    interrupts::on_return(scheduler::preempt);
    for number in 0..THREADS {
        let main = if number % 2 == 0 {
            thread::<Ledger<Mmu>>
        } else {
            thread::<Ledger<ByteMmu>>
        };
        spawn(main, FOREIGN_FLAGS, ANY);
    }
    let set_timer = || interrupts::set_timer(TICKS.load(Relaxed), usize::MAX);
    smp::start(set_timer);
    set_timer();
    while !threads().iter().all(Thread::is_finished) {
        yield_now();
    }
    report(sections);
    Ok(())
}

/// The pages and the frame of one thread, or of the handlers of one CPU.
struct Own {
    arena: Arena,
    frame: usize,
    first: usize,
    pages: usize,
}

impl Own {
    fn slots(&self) -> &'static [AtomicU64] {
        &self.arena.slots[self.first..][..self.pages]
    }

    fn leaf(&self) -> Leaf {
        self.arena.leaf(self.frame)
    }

    fn check(&self, page: usize) {
        self.arena.check(self.first + page, self.frame);
    }

    fn clear<B: Backend>(&self) {
        self.arena.clear::<B>(self.first, self.pages);
    }
}

/// Opens sections, and checks their mappings. Each thread runs this.
fn thread<B: Backend>() {
    let number = NEXT.fetch_add(1, Relaxed);
    let own = Own {
        arena: *ARENA.get().expect("it is booted"),
        frame: number,
        first: number * PAGES,
        pages: PAGES,
    };
    let this = current();
    // SAFETY: this is the only handle of the thread.
    let mut task = unsafe { Task::<B>::current() };
    for turn in 0..SECTIONS.load(Relaxed) {
        let pages = 1 + turn % PAGES;
        section(&mut task, &own, pages, turn);
        assert_eq!(B::current().load(), Bits::EMPTY, "the mode is off");
        this.books.check_visible();
        for page in 0..pages {
            own.check(page);
        }
        change_flag_of_another(number, turn);
        // This is rare, because an invalidation takes much longer than a section under emulation.
        if turn.is_multiple_of(64) {
            own.clear::<B>();
        }
    }
    task.check_idle().expect("all sections are left");
}

/// Disturbs a thread in the middle of its section.
///
/// At times it interrupts this CPU or another one, which then looks for another thread. At times it
/// asks for another CPU, and waits until an interrupt has moved the thread there.
fn disturb(turn: usize) {
    if turn.is_multiple_of(16) {
        interrupts::send_to(turn / 16 % CPUS);
    }
    let every = FORCED.load(Relaxed);
    if every != 0 && turn % every == 1 {
        // The thread may be on another CPU after this, which does not matter.
        let here = cpu();
        let there = (here + 1) % CPUS;
        current().pin(there);
        interrupts::send_to(here);
        while cpu() != there {
            core::hint::spin_loop();
        }
        current().pin(ANY);
    }
}

/// Opens a section, by one of the forms in turn.
fn section<B: Backend>(task: &mut Task<B>, own: &Own, pages: usize, turn: usize) {
    #[lazy_mmu(backend = B, mmu)]
    fn attributed<B: Backend>(slots: &[AtomicU64], leaf: Leaf, turn: usize) {
        assert!(is_active::<B>());
        for slot in slots {
            mmu.write(slot, leaf);
        }
        disturb(turn);
        lazy_mmu::with::<B, _>(|inner| inner.write(&slots[0], leaf));
        mmu.paused(|| lazy_mmu::write::<B, _>(&slots[0], leaf));
        mmu.write(&slots[0], leaf);
    }

    let (slots, leaf) = (&own.slots()[..pages], own.leaf());
    match turn / PAGES % 4 {
        0 => attributed::<B>(slots, leaf, turn),
        1 => {
            let mut outer = task.enter();
            for slot in slots {
                outer.write(slot, leaf);
            }
            let mut inner = outer.nest();
            inner.write(&slots[0], leaf);
            disturb(turn);
            inner.leave();
            current().books.check_visible();
            own.check(0);
            outer.write(&slots[0], leaf);
        }
        2 => lazy_mmu::with::<B, _>(|mmu| {
            disturb(turn);
            mmu.write_range(slots, |_| leaf);
            let page = mmu.pending(pages - 1);
            let page = page.get(&mmu.flush());
            current().books.check_visible();
            own.check(page);
            // This code does not use the guard of the section.
            lazy_mmu::write::<B, _>(&slots[0], leaf);
        }),
        _ => {
            let mut section = task.enter();
            section.write_range(slots, |_| leaf);
            core::mem::forget(section);
            disturb(turn);
            task.check_idle().expect("its forgotten section is left");
        }
    }
}

/// Handles an interrupt, in the middle of any thread.
fn handler() {
    #[lazy_mmu(backend = Ledger<Mmu>, mmu)]
    fn map(own: &Own) {
        mmu.write(&own.slots()[0], own.leaf());
        scheduler::books_of_handlers().check_visible();
        own.check(0);
    }

    let cpu = cpu();
    let own = Own {
        arena: *ARENA.get().expect("it is booted"),
        frame: THREADS + cpu,
        first: THREADS * PAGES + cpu,
        pages: 1,
    };
    map(&own);
    own.check(0);
    let turn = HANDLED.fetch_add(1, Relaxed);
    for thread in 0..threads().len() {
        change_flag(thread, cpu);
    }
    if turn.is_multiple_of(64) {
        own.clear::<Ledger<Mmu>>();
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
    let stored: u64 = threads().iter().map(|it| it.books.stored()).sum();
    let handled = HANDLED.load(Relaxed);
    let changes = CHANGES.load(Relaxed);
    for (number, thread) in threads().iter().enumerate() {
        assert_eq!(thread.books.owed(), 0);
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
        "C10 C12 {sections} sections of {THREADS} threads on {CPUS} CPUs, with {stored} stores: \
         {migrations} migrations, {in_section} of them inside a section, {pending} with a pair \
         pending; {handled} interrupts, {changes} changes of others' flags; none lost"
    );
    let enough = sections as u64 / 100;
    assert!(
        in_section > enough && pending > enough / 2 && changes > sections as u64,
        "more than {enough} migrations inside a section are expected"
    );
}
