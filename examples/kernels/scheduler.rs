//! A small preemptive scheduler: threads on several CPUs, and one queue.
//!
//! A preempted thread goes to the end of the queue. The next CPU that looks for a thread takes it,
//! so threads migrate. The lock of the queue orders the stores of the CPU that gives a thread up
//! before the accesses of the CPU that takes it over. What else a context switch owes is in the
//! module `switch` of each architecture.

use core::ptr::{from_ref, with_exposed_provenance};
use core::sync::atomic::{
    AtomicBool, AtomicPtr, AtomicU64, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};

use arrayvec::ArrayVec;
use lazy_mmu::Bits;
use spin::Once;
use spin::mutex::{SpinMutex, SpinMutexGuard};

use crate::smp::{CPUS, Relax, cpu, relax};
use crate::switch::{arrive, schedule};
use crate::tasks::{self, Context, Stack, masked};
use crate::thread;
use crate::thread_info::{self, ThreadInfo};

/// The highest number of threads.
pub const THREADS: usize = 12;

/// A thread.
#[derive(Debug)]
#[repr(C)]
pub struct Thread {
    /// The structures to which the task pointers point while the thread runs. The field is the
    /// first one, because the first pointer is then the thread's address too.
    pub infos: [ThreadInfo; thread::POINTERS],
    pub(crate) context: Context,
    /// The function that the thread runs. The idle threads of the CPUs have none.
    main: Once<fn()>,
    /// The CPU that may run the thread: [`ANY`], [`NONE`] or a number.
    affinity: AtomicUsize,
    /// The CPU on which the thread last ran, or [`NONE`].
    cpu: AtomicUsize,
    finished: AtomicBool,
    /// The number of times that the thread continued on another CPU.
    pub migrations: Migrations,
}

/// For [`Thread::pin`]: every CPU.
pub const ANY: usize = usize::MAX;
/// For [`Thread::pin`]: no CPU for now.
pub const NONE: usize = usize::MAX - 1;

/// How often threads continued on another CPU.
#[derive(Debug, Default)]
pub struct Migrations {
    /// All migrations.
    pub all: AtomicU64,
    /// Migrations while a section was open.
    pub in_section: AtomicU64,
    /// Migrations while stores awaited their barrier.
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
            infos: [const { ThreadInfo::new() }; thread::POINTERS],
            context: Context::new(),
            main: Once::new(),
            affinity: AtomicUsize::new(ANY),
            cpu: AtomicUsize::new(NONE),
            finished: AtomicBool::new(false),
            migrations: Migrations::new(),
        }
    }

    /// Returns whether the thread's function has returned.
    pub fn is_finished(&self) -> bool {
        self.finished.load(Acquire)
    }

    /// Sets the CPU that may run the thread from its next switch on: a number, [`ANY`] or [`NONE`].
    pub fn pin(&'static self, cpu: usize) {
        masked(|| change_queue(QUEUE.lock(), Change::Pin(self, cpu)));
    }

    fn may_run_on(&self, cpu: usize) -> bool {
        let affinity = self.affinity.load(Relaxed);
        affinity == ANY || affinity == cpu
    }

    fn must_leave(&self, cpu: usize) -> bool {
        !self.is_idle() && (self.finished.load(Relaxed) || !self.may_run_on(cpu))
    }

    fn is_idle(&self) -> bool {
        !self.main.is_completed()
    }

    /// Returns the bits of the mode that are set, in any place.
    fn bits(&self) -> Bits {
        let mut bits = Bits::EMPTY;
        for info in &self.infos {
            let flags = info.flags.load(Relaxed);
            let byte = u64::from(info.lazy_mmu.load(Relaxed));
            for (number, bit) in [(0, Bits::PENDING), (2, Bits::ACTIVE)] {
                if (flags >> (28 + number) | byte >> number) & 1 != 0 {
                    bits = bits.union(bit);
                }
            }
        }
        bits
    }
}

/// The state of a CPU.
struct Cpu {
    /// The thread that runs if no other can.
    idle: Thread,
    /// The thread that was switched away last, until its successor has published it.
    left: AtomicPtr<Thread>,
}

static CPU: [Cpu; CPUS] = [const {
    Cpu {
        idle: Thread::new(),
        left: AtomicPtr::new(core::ptr::null_mut()),
    }
}; CPUS];

static POOL: [Thread; THREADS] = [const { Thread::new() }; THREADS];
static SPAWNED: AtomicUsize = AtomicUsize::new(0);

/// The threads that wait to run.
static QUEUE: SpinMutex<ArrayVec<&'static Thread, THREADS>, Relax> =
    SpinMutex::new(ArrayVec::new_const());

/// The locked queue.
pub(crate) type Queue = SpinMutexGuard<'static, ArrayVec<&'static Thread, THREADS>, Relax>;

/// A bit for each CPU, set if the queue has a thread for it. The others need not take the lock.
static RUNNABLE: AtomicUsize = AtomicUsize::new(0);

/// A change of the queue, or of data on which [`RUNNABLE`] depends.
#[derive(Clone, Copy)]
enum Change {
    Add(&'static Thread),
    /// Takes a thread for this CPU.
    Take(usize),
    /// Sets the CPU of a thread.
    Pin(&'static Thread, usize),
}

/// Changes the queue, and releases it. The caller has masked interrupts, because a handler takes
/// the lock too.
///
/// Not inlined, because the release of the lock is then in one place. It is the release when a CPU
/// looks for its next thread, and also when it publishes the last. A test can remove both.
#[inline(never)]
fn change_queue(mut queue: Queue, change: Change) -> Option<&'static Thread> {
    let taken = match change {
        Change::Add(thread) => {
            queue.push(thread);
            None
        }
        Change::Take(cpu) => {
            let found = queue.iter().position(|it| it.may_run_on(cpu));
            found.map(|at| queue.remove(at))
        }
        Change::Pin(thread, cpu) => {
            thread.affinity.store(cpu, Relaxed);
            None
        }
    };
    let runnable = (0..CPUS).filter(|&cpu| queue.iter().any(|it| it.may_run_on(cpu)));
    RUNNABLE.store(runnable.fold(0, |set, it| set | 1 << it), Relaxed);
    taken
}

/// Returns the current or interrupted thread, on a CPU that has called [`init_cpu`].
pub fn current() -> &'static Thread {
    let thread: *const Thread = with_exposed_provenance(thread::pointers()[0]);
    // SAFETY: `init_cpu` and `schedule` have loaded the register with the address of a static.
    unsafe { &*thread }
}

/// Makes the running code the idle thread of this CPU.
pub fn init_cpu() {
    masked(|| run_as(&CPU[cpu()].idle));
}

/// Loads the task pointers. The caller has masked interrupts.
pub(crate) fn run_as(thread: &'static Thread) {
    // `current` makes a reference to the thread from a task pointer.
    from_ref(thread).expose_provenance();
    thread_info::set_current(thread.infos.each_ref());
}

/// Makes a thread that calls `main` and ends when `main` returns.
///
/// It runs on `cpu`: [`ANY`], [`NONE`] or a number.
pub fn spawn(main: fn(), cpu: usize) -> &'static Thread {
    static STACKS: [Stack; THREADS] = [const { Stack::new() }; THREADS];
    static TAKEN: AtomicUsize = AtomicUsize::new(0);

    let stack = &STACKS[TAKEN.fetch_add(1, Relaxed)];
    // SAFETY: only this thread uses the stack.
    unsafe { spawn_on_stack(main, cpu, stack.top()) }
}

/// Makes a thread as [`spawn`] does, on a given stack.
///
/// # Safety
///
/// `top` is the end of a stack, a multiple of 16, that other code does not use.
pub unsafe fn spawn_on_stack(main: fn(), cpu: usize, top: usize) -> &'static Thread {
    let number = SPAWNED.fetch_add(1, Relaxed);
    let thread = POOL.get(number).expect("at most `THREADS` threads");
    thread.main.call_once(|| main);
    thread.affinity.store(cpu, Relaxed);
    // SAFETY: the thread has not run yet, and the caller promises the stack.
    unsafe { thread.context.prepare(top, begin) };
    masked(|| change_queue(QUEUE.lock(), Change::Add(thread)));
    thread
}

/// Returns all threads that have been spawned.
pub fn threads() -> &'static [Thread] {
    &POOL[..SPAWNED.load(Relaxed)]
}

/// Lets waiting threads run.
pub fn yield_now() {
    masked(|| schedule(QUEUE.lock()));
}

/// Lets waiting threads run, at the end of an interrupt handler. Interrupts are masked, and the
/// preempt count has its value from before the interrupt.
///
/// If another CPU has the queue, the thread goes on, unless it must leave this CPU. The host may
/// have preempted the other CPU.
pub fn preempt() {
    match QUEUE.try_lock() {
        Some(queue) => schedule(queue),
        None if current().must_leave(cpu()) => schedule(QUEUE.lock()),
        None => {}
    }
}

/// Looks for threads to run, until `done` returns true. A CPU without a thread runs this.
pub fn idle_until(done: impl Fn() -> bool) {
    while !done() {
        if RUNNABLE.load(Relaxed) & 1 << cpu() != 0 {
            masked(preempt);
        }
        relax();
    }
}

/// Returns the thread that runs next on this CPU instead of `this`, if there is one.
pub(crate) fn next(queue: Queue, this: &'static Thread) -> Option<&'static Thread> {
    let cpu = cpu();
    let next = match change_queue(queue, Change::Take(cpu)) {
        Some(next) => next,
        None if this.must_leave(cpu) => &CPU[cpu].idle,
        None => return None,
    };
    CPU[cpu].left.store(from_ref(this).cast_mut(), Relaxed);
    this.cpu.store(cpu, Relaxed);
    Some(next)
}

/// Publishes the thread that was switched away, and counts the migrations of the one that runs.
pub(crate) fn switched() {
    let cpu = cpu();
    let left = CPU[cpu].left.load(Relaxed);
    // SAFETY: `next` has just stored the pointer, on this CPU.
    let left = unsafe { &*left };
    // Only now may another CPU run the thread, whose registers are saved.
    if !left.is_idle() && !left.finished.load(Relaxed) {
        change_queue(QUEUE.lock(), Change::Add(left));
    }
    let this = current();
    let before = this.cpu.swap(cpu, Relaxed);
    if before != cpu && before != NONE && !this.is_idle() {
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
        schedule(QUEUE.lock());
    });
    unreachable!("a finished thread does not run again")
}
