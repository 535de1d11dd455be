//! A small preemptive scheduler: threads on several CPUs, one queue, a context switch.
//!
//! A thread that is preempted goes to the end of the queue, and the next CPU that looks takes it:
//! so threads migrate. A context switch executes the barriers that the contract of
//! [`Backend`](lazy_mmu::Backend) demands: `dsb ish` on the CPU that gives the thread up, `isb` on
//! the CPU that takes it over.

use core::ptr::{from_ref, with_exposed_provenance};
use core::sync::atomic::{
    AtomicBool, AtomicPtr, AtomicU64, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};

use aarch64_cpu::registers::{Readable, SP_EL0};
use arrayvec::ArrayVec;
use lazy_mmu::Bits;
use spin::Once;
use spin::mutex::SpinMutex;

use crate::ledger::Books;
use crate::smp::{CPUS, cpu};
use crate::tasks::{self, Context, Stack, masked};
use crate::thread::{self, ThreadInfo};

/// The most threads there can be.
pub const THREADS: usize = 12;

/// A thread.
#[derive(Debug)]
#[repr(C)]
pub struct Thread {
    /// What SP_EL0 and TPIDR_EL1 point to while it runs. The first, so that SP_EL0 is the thread's address too.
    pub infos: [ThreadInfo; 2],
    /// What it has stored, and what of it is visible.
    pub books: Books,
    context: Context,
    /// What it does; nothing, if it is what a CPU does when there is no thread to run.
    main: Once<fn()>,
    /// The CPU that may run it: [`ANY`], [`NONE`] or one.
    affinity: AtomicUsize,
    /// The CPU on which it ran last, or [`NONE`].
    cpu: AtomicUsize,
    finished: AtomicBool,
    /// How often it went on on another CPU than before.
    pub migrations: Migrations,
}

/// [`Thread::pin`]: every CPU.
pub const ANY: usize = usize::MAX;
/// [`Thread::pin`]: no CPU, for the time being.
pub const NONE: usize = usize::MAX - 1;

/// How often threads went on on another CPU than before.
#[derive(Debug, Default)]
pub struct Migrations {
    /// In all.
    pub all: AtomicU64,
    /// With a section open.
    pub in_section: AtomicU64,
    /// With stores that wait for their pair.
    pub pending: AtomicU64,
}

impl Thread {
    const fn new() -> Self {
        Self {
            infos: [const { ThreadInfo::new() }; 2],
            books: Books::new(),
            context: Context::new(),
            main: Once::new(),
            affinity: AtomicUsize::new(ANY),
            cpu: AtomicUsize::new(NONE),
            finished: AtomicBool::new(false),
            migrations: Migrations {
                all: AtomicU64::new(0),
                in_section: AtomicU64::new(0),
                pending: AtomicU64::new(0),
            },
        }
    }

    /// Whether what it does has returned.
    pub fn is_finished(&self) -> bool {
        self.finished.load(Acquire)
    }

    /// Says which CPU may run it from the next time on: one, [`ANY`] or [`NONE`].
    pub fn pin(&self, cpu: usize) {
        masked(|| change_queue(|_| self.affinity.store(cpu, Relaxed)));
    }

    fn may_run_on(&self, cpu: usize) -> bool {
        let affinity = self.affinity.load(Relaxed);
        affinity == ANY || affinity == cpu
    }

    fn is_idle(&self) -> bool {
        !self.main.is_completed()
    }

    /// Which of the mode's bits are set, in either place.
    fn bits(&self) -> Bits {
        let mut bits = Bits::EMPTY;
        let [by_sp_el0, by_tpidr] = &self.infos;
        let flags = by_sp_el0.flags.load(Relaxed);
        let byte = u64::from(by_tpidr.lazy_mmu.load(Relaxed));
        for (number, bit) in [(0, Bits::PENDING), (2, Bits::ACTIVE)] {
            if (flags >> (28 + number) | byte >> number) & 1 != 0 {
                bits = bits.union(bit);
            }
        }
        bits
    }
}

/// What each CPU has.
struct Cpu {
    /// What it does when there is no thread to run.
    idle: Thread,
    /// The thread that has just left, until its successor has published it.
    left: AtomicPtr<Thread>,
    /// The books of its handlers.
    books: Books,
}

static CPU: [Cpu; CPUS] = [const {
    Cpu {
        idle: Thread::new(),
        left: AtomicPtr::new(core::ptr::null_mut()),
        books: Books::new(),
    }
}; CPUS];

static POOL: [Thread; THREADS] = [const { Thread::new() }; THREADS];
static SPAWNED: AtomicUsize = AtomicUsize::new(0);

static STACKS: [Stack; THREADS] = [const { Stack::new() }; THREADS];

/// The threads that wait to run.
type Queue = ArrayVec<&'static Thread, THREADS>;

static QUEUE: SpinMutex<Queue> = SpinMutex::new(ArrayVec::new_const());

/// A bit for each CPU: whether there is a thread in the queue that it may run. So that CPUs without one do not wait for the
/// lock all the time.
static RUNNABLE: AtomicUsize = AtomicUsize::new(0);

/// Changes the queue, or what counts for it. With interrupts masked: a handler takes the lock too.
fn change_queue<R>(change: impl FnOnce(&mut Queue) -> R) -> R {
    let mut queue = QUEUE.lock();
    let result = change(&mut queue);
    let runnable = (0..CPUS).filter(|&cpu| queue.iter().any(|it| it.may_run_on(cpu)));
    RUNNABLE.store(runnable.fold(0, |set, it| set | 1 << it), Relaxed);
    result
}

/// The books of this CPU's interrupt handlers, for one of them.
pub fn books_of_handlers() -> &'static Books {
    &CPU[cpu()].books
}

/// The thread that asks; in a handler, the one that it interrupted. In programs that have called [`init_cpu`].
pub fn current() -> &'static Thread {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "an address has the width of usize on aarch64"
    )]
    let thread: *const Thread = with_exposed_provenance(SP_EL0.get() as usize);
    // SAFETY: `init_cpu` and `schedule` have loaded it with the address of a static.
    unsafe { &*thread }
}

/// Makes what runs on this CPU its idle thread.
pub fn init_cpu() {
    run_as(&CPU[cpu()].idle);
}

/// Loads the task pointers.
fn run_as(thread: &'static Thread) {
    // SP_EL0 stands for the thread too.
    from_ref(thread).expose_provenance();
    let [first, second] = &thread.infos;
    thread::set_current([first, second]);
}

/// Makes a thread that calls `main` and ends when that returns; its flags words hold `flags` at first. It runs on `cpu`
/// ([`ANY`], [`NONE`], or one).
pub fn spawn(main: fn(), flags: u64, cpu: usize) -> &'static Thread {
    let number = SPAWNED.fetch_add(1, Relaxed);
    let thread = POOL.get(number).expect("there are so many threads");
    thread.main.call_once(|| main);
    thread.affinity.store(cpu, Relaxed);
    for info in &thread.infos {
        info.flags.store(flags, Relaxed);
    }
    // SAFETY: the thread has not run yet, and the stack is its own.
    unsafe { thread.context.prepare(&STACKS[number], begin) };
    masked(|| publish(thread));
    thread
}

/// The threads that were spawned so far.
pub fn threads() -> &'static [Thread] {
    &POOL[..SPAWNED.load(Relaxed)]
}

/// Lets other threads run, if any wait.
pub fn yield_now() {
    masked(schedule);
}

/// For the end of an interrupt handler, where interrupts are masked, and the preempt count is the thread's again: lets other
/// threads run.
pub fn preempt() {
    schedule();
}

/// What a CPU does when there is no thread: it looks for one.
pub fn idle() -> ! {
    loop {
        if RUNNABLE.load(Relaxed) & 1 << cpu() != 0 {
            yield_now();
        }
        core::hint::spin_loop();
    }
}

/// Puts a thread into the queue. With interrupts masked.
fn publish(thread: &'static Thread) {
    change_queue(|queue| queue.push(thread));
}

/// Runs the next thread that may run on this CPU, and returns when the present one goes on, perhaps on another CPU. With
/// interrupts masked.
fn schedule() {
    let this = current();
    let cpu = cpu();
    let next = change_queue(|queue| {
        let found = queue.iter().position(|it| it.may_run_on(cpu));
        found.map(|at| queue.remove(at))
    });
    let must_leave = !this.is_idle() && (this.finished.load(Relaxed) || !this.may_run_on(cpu));
    let next = match next {
        Some(next) => next,
        None if must_leave => &CPU[cpu].idle,
        None => return,
    };
    CPU[cpu].left.store(from_ref(this).cast_mut(), Relaxed);
    this.cpu.store(cpu, Relaxed);
    // Before another CPU can run this thread: that one's barriers would not complete what was stored on this CPU.
    this.books.leave_cpu();
    run_as(next);
    // SAFETY: `next` is not running; and nobody else runs it, because it was taken out of the
    // queue, or is this CPU's.
    unsafe { tasks::switch(&this.context, &next.context) };
    arrive();
}

/// What a thread does first when it runs again, or for the first time.
fn arrive() {
    let cpu = cpu();
    let left = CPU[cpu].left.load(Relaxed);
    // SAFETY: `schedule` has stored it, on this CPU, just before.
    let left = unsafe { &*left };
    // Only now: its registers are saved, its stack is no longer in use.
    if !left.is_idle() && !left.finished.load(Relaxed) {
        publish(left);
    }
    let this = current();
    this.books.take_over();
    let before = this.cpu.swap(cpu, Relaxed);
    if before != cpu && before != NONE && !this.is_idle() {
        this.books.enter_another_cpu();
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

/// Where a thread begins, with interrupts masked.
extern "C" fn begin() -> ! {
    arrive();
    let this = current();
    let main = this.main.get().expect("`spawn` was given one");
    tasks::unmask();
    main();
    masked(|| {
        this.finished.store(true, Release);
        schedule();
    });
    unreachable!("a finished thread does not run again")
}
