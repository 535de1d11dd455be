//! The work of the tasks: sections, and checks of the bits around interrupts at three places.

use core::marker::PhantomData;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use lazy_mmu::{Backend, Bits, Machine, Storage, Wrapped, Wrapper};
use lazy_mmu_qemu::interrupts::{self, wait_for_timer};
use lazy_mmu_qemu::tasks::{masked, unmask};
use semihosting::println;

use crate::tables;

/// The number of sections that each task opens.
const SECTIONS: usize = 100;

/// The backend `B` with counted barrier pairs. The bits are the same.
pub type Counted<B> = Wrapped<Counting<B>>;

/// Counts the barrier pairs of `B`.
#[derive(Debug)]
pub struct Counting<B>(PhantomData<B>);

// SAFETY: the inner machine executes the barrier.
unsafe impl<B: Backend> Wrapper for Counting<B> {
    type Inner = B;

    fn barrier() {
        PAIRS.fetch_add(1, Relaxed);
        B::Machine::barrier();
    }
}

static PAIRS: AtomicUsize = AtomicUsize::new(0);
static SWITCHES: AtomicUsize = AtomicUsize::new(0);
static BITS_FOUND: AtomicUsize = AtomicUsize::new(0);
static IN_SECTION: AtomicUsize = AtomicUsize::new(0);
static OUTSIDE: AtomicUsize = AtomicUsize::new(0);
static FINISHED: AtomicUsize = AtomicUsize::new(0);

/// The handler's page, behind the four pages of the tasks.
const HANDLERS_PAGE: usize = 4;
static HANDLED: AtomicUsize = AtomicUsize::new(0);

/// Records that the scheduler has returned from a switch to another task.
pub fn note_switch() {
    SWITCHES.fetch_add(1, Relaxed);
}

/// Returns the number of tasks that have finished their work.
fn finished() -> usize {
    FINISHED.load(Relaxed)
}

/// Lets the timer interrupt the task, and checks that its bits are `expected` before and after.
/// Counts the interrupt in `switched` if another task ran in the meantime.
fn interrupted_with<B: Backend>(expected: Bits, switched: &AtomicUsize) {
    assert_eq!(B::current().load(), expected, "before the interrupt");
    let before = SWITCHES.load(Relaxed);
    wait_for_timer();
    assert_eq!(B::current().load(), expected, "after the interrupt");
    BITS_FOUND.fetch_add(1, Relaxed);
    if SWITCHES.load(Relaxed) != before {
        switched.fetch_add(1, Relaxed);
    }
}

/// Returns the number of pairs that `f` executes. `f` must not be interrupted.
fn pairs(f: impl FnOnce()) -> usize {
    let before = PAIRS.load(Relaxed);
    f();
    PAIRS.load(Relaxed) - before
}

/// Runs the work of the first task, and then the second task until it has finished.
///
/// `schedule` runs the other task, with interrupts masked. The pairs of `B` are counted.
pub fn run_first<B: Backend>(schedule: fn()) {
    tables::activate();
    interrupts::enable(1);
    run::<B>(0);
    while finished() < 2 {
        masked(schedule);
    }
}

/// Runs the work of the second task.
pub fn run_second<B: Backend>(schedule: fn()) -> ! {
    unmask();
    run::<B>(1);
    loop {
        masked(schedule);
    }
}

/// Does the work of task `number`. The task must find its own bits, and each pair must follow.
fn run<B: Backend>(number: usize) {
    let [first, second] = [2 * number, 2 * number + 1];
    let put = |page: usize| lazy_mmu::write::<B, _>(tables::slot(page), tables::leaf(page));
    if number == 1 {
        // The task is one step behind the other one, so that their bits differ at each interrupt.
        interrupted_with::<B>(Bits::EMPTY, &OUTSIDE);
    }
    for _ in 0..SECTIONS {
        lazy_mmu::with::<B, _>(|mmu| {
            interrupted_with::<B>(Bits::ACTIVE, &IN_SECTION);
            assert_eq!(pairs(|| put(first)), 0, "the section defers the pair");
            interrupted_with::<B>(Bits::ACTIVE.union(Bits::PENDING), &IN_SECTION);
            let deferred = pairs(|| _ = mmu.flush());
            assert_eq!(deferred, 1, "the pair that was deferred");
        });
        tables::check(first, first);
        // If the kernel switches tasks inside sections, the other task is in a section here.
        interrupted_with::<B>(Bits::EMPTY, &OUTSIDE);
        assert_eq!(
            pairs(|| put(second)),
            1,
            "outside a section the pair follows"
        );
        tables::check(second, second);
        tables::unmap::<B>(first);
        tables::unmap::<B>(second);
    }
    FINISHED.fetch_add(1, Relaxed);
}

/// Opens a section in the interrupt handler. The pair follows the store at once.
pub fn handle<B: Backend>() {
    lazy_mmu::with::<B, _>(|mmu| {
        let pairs = pairs(|| mmu.write(tables::slot(HANDLERS_PAGE), tables::leaf(HANDLERS_PAGE)));
        assert_eq!(pairs, 1, "in an interrupt the pair follows");
    });
    tables::check(HANDLERS_PAGE, HANDLERS_PAGE);
    tables::unmap::<B>(HANDLERS_PAGE);
    HANDLED.fetch_add(1, Relaxed);
}

/// Prints the counts.
pub fn report(recipe: &str) {
    let [found, in_section, outside] =
        [&BITS_FOUND, &IN_SECTION, &OUTSIDE].map(|it| it.load(Relaxed));
    let sections = SECTIONS * finished();
    println!(
        "K12 {recipe}: {} tasks, {sections} sections, {found} timer interrupts; \
         each time the task found its own bits",
        finished()
    );
    println!(
        "K12 interrupts that switched: {in_section} of {} in a section, {outside} of {} outside",
        2 * sections,
        found - 2 * sections
    );
    let handled = HANDLED.load(Relaxed);
    println!("C03 {handled} handlers stored in a section, and the pair followed at once");
    println!(
        "C07 {} barrier pairs of tasks: one for each section, and one for each store outside",
        PAIRS.load(Relaxed) - handled
    );
}
