//! A small preemptive scheduler: threads on several harts, one queue, and a context switch.
//!
//! A preempted thread goes to the end of the queue. The next hart that looks for a thread takes it,
//! so threads migrate. The lock of the queue is the order that the contract of
//! [`Kernel`](lazy_mmu::riscv64::Kernel) demands: a release on the hart that gives a thread up, and
//! an acquire on the hart that takes it over. That hart then checks its flag of
//! [`Policy::OnFault`](crate::policy::Policy::OnFault), because the thread's stack may be newly
//! mapped.

use core::ptr::{from_ref, with_exposed_provenance};
use core::sync::atomic::{
    AtomicBool, AtomicPtr, AtomicU64, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};

use arrayvec::ArrayVec;
use lazy_mmu::Bits;
use lazy_mmu::riscv64::{TaskPointer as _, Tp};
use spin::Once;
use spin::mutex::SpinMutex;

use crate::hart::{self, HARTS};
use crate::tasks::{self, Context, masked};
use crate::{policy, thread};

/// The highest number of threads.
pub const THREADS: usize = 12;

/// A thread.
#[derive(Debug)]
#[repr(C)]
pub struct Thread {
    /// The structure to which `tp` points while the thread runs. The field is the first one,
    /// because `tp` is then the thread's address too.
    pub info: thread::Thread,
    context: Context,
    /// The function that the thread runs. The idle threads of the harts have none.
    main: Once<fn()>,
    /// The hart that may run the thread: [`ANY`] or a number.
    affinity: AtomicUsize,
    /// The hart on which the thread last ran, or [`NONE`].
    hart: AtomicUsize,
    finished: AtomicBool,
    /// The number of times that the thread continued on another hart.
    pub migrations: Migrations,
}

/// For [`Thread::pin`]: every hart.
pub const ANY: usize = usize::MAX;
/// The hart of a thread that has not run.
const NONE: usize = usize::MAX - 1;

/// How often threads continued on another hart.
#[derive(Debug, Default)]
pub struct Migrations {
    /// All migrations.
    pub all: AtomicU64,
    /// Migrations while a section was open.
    pub in_section: AtomicU64,
    /// Migrations while stores awaited their fence.
    pub pending: AtomicU64,
    /// How many of all were known at the last [`take`](Self::take).
    taken: AtomicU64,
}

impl Migrations {
    const fn new() -> Self {
        Self {
            all: AtomicU64::new(0),
            in_section: AtomicU64::new(0),
            pending: AtomicU64::new(0),
            taken: AtomicU64::new(0),
        }
    }

    /// Returns whether the thread has migrated since the last call. Only the thread calls it.
    pub fn take(&self) -> bool {
        let all = self.all.load(Relaxed);
        self.taken.swap(all, Relaxed) != all
    }
}

impl Thread {
    const fn new() -> Self {
        Self {
            info: thread::Thread::new(),
            context: Context::new(),
            main: Once::new(),
            affinity: AtomicUsize::new(ANY),
            hart: AtomicUsize::new(NONE),
            finished: AtomicBool::new(false),
            migrations: Migrations::new(),
        }
    }

    /// Returns whether the thread's function has returned.
    pub fn is_finished(&self) -> bool {
        self.finished.load(Acquire)
    }

    /// Sets the hart that may run the thread from its next switch on: a number or [`ANY`].
    pub fn pin(&'static self, hart: usize) {
        masked(|| change_queue(Change::Pin(self, hart)));
    }

    fn may_run_on(&self, hart: usize) -> bool {
        let affinity = self.affinity.load(Relaxed);
        affinity == ANY || affinity == hart
    }

    fn is_idle(&self) -> bool {
        !self.main.is_completed()
    }

    /// Returns the bits of the mode that are set, in either place.
    fn bits(&self) -> Bits {
        let mut bits = Bits::EMPTY;
        let flags = self.info.flags.load(Relaxed);
        let byte = u64::from(self.info.lazy_mmu.load(Relaxed));
        for (number, bit) in [(0, Bits::PENDING), (2, Bits::ACTIVE)] {
            if (flags >> (28 + number) | byte >> number) & 1 != 0 {
                bits = bits.union(bit);
            }
        }
        bits
    }
}

/// The state of a hart.
struct Hart {
    /// The thread that runs if no other can.
    idle: Thread,
    /// The thread that was switched away last, until its successor has published it.
    left: AtomicPtr<Thread>,
}

static HART: [Hart; HARTS] = [const {
    Hart {
        idle: Thread::new(),
        left: AtomicPtr::new(core::ptr::null_mut()),
    }
}; HARTS];

static POOL: [Thread; THREADS] = [const { Thread::new() }; THREADS];
static SPAWNED: AtomicUsize = AtomicUsize::new(0);

/// The threads that wait to run.
static QUEUE: SpinMutex<ArrayVec<&'static Thread, THREADS>> = SpinMutex::new(ArrayVec::new_const());

/// A bit for each hart, set if the queue has a thread for it. The others need not take the lock.
static RUNNABLE: AtomicUsize = AtomicUsize::new(0);

/// A change of the queue, or of data on which [`RUNNABLE`] depends.
#[derive(Clone, Copy)]
enum Change {
    Add(&'static Thread),
    /// Takes a thread for this hart.
    Take(usize),
    /// Sets the hart of a thread.
    Pin(&'static Thread, usize),
}

/// Changes the queue. The caller has masked interrupts, because a handler takes the lock too.
///
/// Not inlined, because the release of the lock is then in one place. It is the release when a hart
/// looks for its next thread, and also when it publishes the last. A test can remove both.
#[inline(never)]
fn change_queue(change: Change) -> Option<&'static Thread> {
    let mut queue = QUEUE.lock();
    let taken = match change {
        Change::Add(thread) => {
            queue.push(thread);
            None
        }
        Change::Take(hart) => {
            let found = queue.iter().position(|it| it.may_run_on(hart));
            found.map(|at| queue.remove(at))
        }
        Change::Pin(thread, hart) => {
            thread.affinity.store(hart, Relaxed);
            None
        }
    };
    let runnable = (0..HARTS).filter(|&hart| queue.iter().any(|it| it.may_run_on(hart)));
    RUNNABLE.store(runnable.fold(0, |set, it| set | 1 << it), Relaxed);
    taken
}

/// Returns the current or interrupted thread, on a hart that has called [`init_hart`].
pub fn current() -> &'static Thread {
    let thread: *const Thread = with_exposed_provenance(Tp::current().addr());
    // SAFETY: `init_hart` and `schedule` have loaded the register with the address of a static.
    unsafe { &*thread }
}

/// Makes the running code the idle thread of this hart. The caller has masked interrupts.
pub fn init_hart() {
    run_as(&HART[hart::number()].idle);
}

/// Loads the task pointer.
fn run_as(thread: &'static Thread) {
    // `current` makes a reference to the thread from `tp`.
    from_ref(thread).expose_provenance();
    thread.info.set_current();
}

/// Makes a thread that calls `main` and ends when `main` returns.
///
/// It runs on `hart`: [`ANY`] or a number.
///
/// # Safety
///
/// `top` is the end of a stack, a multiple of 16, that other code does not use.
pub unsafe fn spawn(main: fn(), hart: usize, top: usize) -> &'static Thread {
    let number = SPAWNED.fetch_add(1, Relaxed);
    let thread = POOL.get(number).expect("at most `THREADS` threads");
    thread.main.call_once(|| main);
    thread.affinity.store(hart, Relaxed);
    // SAFETY: the thread has not run yet, and the caller promises the stack.
    unsafe { thread.context.prepare(top, begin) };
    masked(|| change_queue(Change::Add(thread)));
    thread
}

/// Returns all threads that have been spawned.
pub fn threads() -> &'static [Thread] {
    &POOL[..SPAWNED.load(Relaxed)]
}

/// Lets waiting threads run.
pub fn yield_now() {
    masked(schedule);
}

/// Lets waiting threads run, at the end of an interrupt handler. Interrupts are masked, and the
/// preempt count has its value from before the interrupt.
pub fn preempt() {
    schedule();
}

/// Looks for threads to run, until `done` returns true. A hart without a thread runs this.
pub fn idle_until(done: impl Fn() -> bool) {
    while !done() {
        if RUNNABLE.load(Relaxed) >> hart::number() & 1 != 0 {
            yield_now();
        }
        relax();
    }
}

/// Lets other harts go on, in a loop that waits for one of them.
pub fn relax() {
    core::hint::spin_loop();
}

/// Runs the next thread that may run on this hart.
///
/// It returns when the present thread continues. The caller has masked interrupts.
fn schedule() {
    let this = current();
    let number = hart::number();
    let next = change_queue(Change::Take(number));
    let must_leave = !this.is_idle() && (this.finished.load(Relaxed) || !this.may_run_on(number));
    let next = match next {
        Some(next) => next,
        None if must_leave => &HART[number].idle,
        None => return,
    };
    HART[number].left.store(from_ref(this).cast_mut(), Relaxed);
    this.hart.store(number, Relaxed);
    // This follows the acquire of the lock: the stack of the next thread, and the mappings that the
    // thread has made on another hart, are from before. It precedes the first access to that stack.
    policy::check();
    run_as(next);
    // SAFETY: `next` is not running. Only this hart runs it, because it is this hart's idle thread,
    // or was taken out of the queue.
    unsafe { tasks::switch(&this.context, &next.context) };
    arrive();
}

/// Completes a switch, as the first step of a thread that runs again or for the first time.
fn arrive() {
    let number = hart::number();
    let left = HART[number].left.load(Relaxed);
    // SAFETY: `schedule` has just stored the pointer, on this hart.
    let left = unsafe { &*left };
    // Only now may another hart run the thread, whose registers are saved.
    if !left.is_idle() && !left.finished.load(Relaxed) {
        change_queue(Change::Add(left));
    }
    let this = current();
    let before = this.hart.swap(number, Relaxed);
    if before != number && before != NONE && !this.is_idle() {
        let migrations = &this.migrations;
        let bits = this.bits();
        migrations.all.fetch_add(1, Relaxed);
        for (bit, count) in [
            (Bits::ACTIVE, &migrations.in_section),
            (Bits::PENDING, &migrations.pending),
        ] {
            count.fetch_add(u64::from(bits.contains(bit)), Relaxed);
        }
    }
}

/// Begins a thread, with interrupts masked.
extern "C" fn begin() -> ! {
    arrive();
    let this = current();
    let main = this.main.get().expect("`spawn` has set it");
    tasks::unmask();
    main();
    masked(|| {
        this.finished.store(true, Release);
        schedule();
    });
    unreachable!("a finished thread does not run again")
}
