//! A small preemptive scheduler: threads on several CPUs, one queue, and a context switch.
//!
//! A preempted thread goes to the end of the queue. The next CPU that looks for a thread takes it,
//! so threads migrate. A context switch executes the barriers that the contract of
//! [`Backend`](lazy_mmu::Backend) demands: `dsb ish` on the CPU that gives the thread up, and `isb`
//! on the CPU that takes it over.

use core::ptr::{from_ref, with_exposed_provenance};
use core::sync::atomic::{
    AtomicBool, AtomicPtr, AtomicU64, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};

use aarch64_cpu::asm::barrier;
use aarch64_cpu::registers::{Readable, SP_EL0};
use arrayvec::ArrayVec;
use lazy_mmu::Bits;
use spin::Once;
use spin::mutex::{SpinMutex, SpinMutexGuard};

use crate::smp::{CPUS, Relax, cpu, relax};
use crate::tasks::{self, Context, Stack, masked};
use crate::thread::{self, ThreadInfo};

/// The highest number of threads.
pub const THREADS: usize = 12;

/// A thread.
#[derive(Debug)]
#[repr(C)]
pub struct Thread {
    /// The structures to which SP_EL0 and TPIDR_EL1 point while the thread runs. The field is the
    /// first one, because SP_EL0 is then the thread's address too.
    pub infos: [ThreadInfo; 2],
    context: Context,
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
    /// Migrations while stores awaited their pair.
    pub pending: AtomicU64,
}

impl Thread {
    const fn new() -> Self {
        Self {
            infos: [const { ThreadInfo::new() }; 2],
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

    /// Returns whether the thread's function has returned.
    pub fn is_finished(&self) -> bool {
        self.finished.load(Acquire)
    }

    /// Sets the CPU that may run the thread from its next switch on: a number, [`ANY`] or [`NONE`].
    pub fn pin(&self, cpu: usize) {
        masked(|| change_queue(|_| self.affinity.store(cpu, Relaxed)));
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

    /// Returns the bits of the mode that are set, in either place.
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

static STACKS: [Stack; THREADS] = [const { Stack::new() }; THREADS];

/// The threads that wait to run.
type Queue = ArrayVec<&'static Thread, THREADS>;

type Guard = SpinMutexGuard<'static, Queue, Relax>;

static QUEUE: SpinMutex<Queue, Relax> = SpinMutex::new(ArrayVec::new_const());

/// A bit for each CPU, set if the queue has a thread for it. The others need not take the lock.
static RUNNABLE: AtomicUsize = AtomicUsize::new(0);

/// Changes the queue, or data on which [`RUNNABLE`] depends. The caller has masked interrupts,
/// because a handler takes the lock too.
fn change_queue<R>(change: impl FnOnce(&mut Queue) -> R) -> R {
    change_locked(QUEUE.lock(), change)
}

fn change_locked<R>(mut queue: Guard, change: impl FnOnce(&mut Queue) -> R) -> R {
    let result = change(&mut queue);
    let runnable = (0..CPUS).filter(|&cpu| queue.iter().any(|it| it.may_run_on(cpu)));
    RUNNABLE.store(runnable.fold(0, |set, it| set | 1 << it), Relaxed);
    result
}

/// Returns the current or interrupted thread, in a program that has called [`init_cpu`].
pub fn current() -> &'static Thread {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "an address has the width of usize on aarch64"
    )]
    let thread: *const Thread = with_exposed_provenance(SP_EL0.get() as usize);
    // SAFETY: `init_cpu` and `schedule` have loaded the register with the address of a static.
    unsafe { &*thread }
}

/// Makes the running code the idle thread of this CPU.
pub fn init_cpu() {
    run_as(&CPU[cpu()].idle);
}

/// Loads the task pointers.
fn run_as(thread: &'static Thread) {
    // `current` makes a reference to the thread from SP_EL0.
    from_ref(thread).expose_provenance();
    let [first, second] = &thread.infos;
    thread::set_current([first, second]);
}

/// Makes a thread that calls `main` and ends when `main` returns.
///
/// Its flags words are `flags` at first. It runs on `cpu`: [`ANY`], [`NONE`], or a number.
pub fn spawn(main: fn(), flags: u64, cpu: usize) -> &'static Thread {
    let number = SPAWNED.fetch_add(1, Relaxed);
    let thread = POOL.get(number).expect("at most `THREADS` threads");
    thread.main.call_once(|| main);
    thread.affinity.store(cpu, Relaxed);
    for info in &thread.infos {
        info.flags.store(flags, Relaxed);
    }
    // SAFETY: the thread has not run yet, and only it uses the stack.
    unsafe { thread.context.prepare(&STACKS[number], begin) };
    masked(|| publish(thread));
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

/// Puts a thread into the queue. The caller has masked interrupts.
fn publish(thread: &'static Thread) {
    change_queue(|queue| queue.push(thread));
}

/// Runs the next thread that may run on this CPU.
///
/// It returns when the present thread continues. The caller has masked interrupts.
fn schedule(queue: Guard) {
    let this = current();
    let cpu = cpu();
    let next = change_locked(queue, |queue| {
        let found = queue.iter().position(|it| it.may_run_on(cpu));
        found.map(|at| queue.remove(at))
    });
    let next = match next {
        Some(next) => next,
        None if this.must_leave(cpu) => &CPU[cpu].idle,
        None => return,
    };
    CPU[cpu].left.store(from_ref(this).cast_mut(), Relaxed);
    this.cpu.store(cpu, Relaxed);
    // This precedes the switch, because another CPU may run the thread afterwards. The barriers of
    // that CPU would complete neither the stores that this CPU made nor its invalidations.
    barrier::dsb(barrier::ISH);
    run_as(next);
    // SAFETY: `next` is not running. Only this CPU runs it, because it is this CPU's idle thread,
    // or was taken out of the queue.
    unsafe { tasks::switch(&this.context, &next.context) };
    arrive();
}

/// Completes a switch, as the first step of a thread that runs again or for the first time.
fn arrive() {
    // This follows the switch, because the CPU may have fetched the thread's next instructions, and
    // translated their addresses, before the thread's mappings were visible.
    barrier::isb(barrier::SY);
    let cpu = cpu();
    let left = CPU[cpu].left.load(Relaxed);
    // SAFETY: `schedule` has just stored the pointer, on this CPU.
    let left = unsafe { &*left };
    // Only now may another CPU run the thread, whose registers are saved.
    if !left.is_idle() && !left.finished.load(Relaxed) {
        publish(left);
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
