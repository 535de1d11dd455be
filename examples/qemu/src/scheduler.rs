//! A small preemptive scheduler: threads on several CPUs, one queue, a context switch.
//!
//! A thread that is preempted goes to the end of the queue, and the next CPU that looks takes it:
//! so threads migrate. A context switch executes the barriers that the contract of
//! [`Backend`](lazy_mmu::Backend) demands: `dsb ish` on the CPU that gives the thread up, `isb` on
//! the CPU that takes it over.

use core::arch::{asm, naked_asm};
use core::cell::UnsafeCell;
use core::ptr::{from_ref, with_exposed_provenance};
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering};

use aarch64_cpu::registers::{DAIF, Readable, SP_EL0};
use aarch64_rt::Stack;
use heapless::Vec;
use lazy_mmu::Bits;
use spin::mutex::SpinMutex;

use crate::ledger::Books;
use crate::smp::{CPUS, cpu};
use crate::thread::{self, ThreadInfo};

/// The most threads there can be.
pub const THREADS: usize = 12;

/// The pages of a thread's stack.
const STACK_PAGES: usize = 8;

/// A thread.
#[derive(Debug)]
#[repr(C)]
pub struct Thread {
    /// What SP_EL0 and TPIDR_EL1 point to while it runs. The first, so that SP_EL0 is the thread's address too.
    infos: [ThreadInfo; 2],
    books: Books,
    /// Its stack pointer while it does not run; its registers are on the stack.
    sp: AtomicU64,
    /// What it does, an `fn()`; 0 if it is no more than what a CPU does when there is no thread to run.
    main: AtomicUsize,
    /// The CPU that may run it: [`ANY`], [`NONE`] or one.
    affinity: AtomicUsize,
    /// The CPU on which it ran last, or [`NONE`].
    cpu: AtomicUsize,
    finished: AtomicBool,
    migrations: Migrations,
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
            sp: AtomicU64::new(0),
            main: AtomicUsize::new(0),
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

    /// Its flags words, its bytes and its preempt counts.
    #[must_use]
    pub fn infos(&self) -> &[ThreadInfo; 2] {
        &self.infos
    }

    /// What it has stored, and what of it is visible.
    #[must_use]
    pub fn books(&self) -> &Books {
        &self.books
    }

    /// Its migrations.
    #[must_use]
    pub fn migrations(&self) -> &Migrations {
        &self.migrations
    }

    /// Whether what it does has returned.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.finished.load(Ordering::Acquire)
    }

    /// Says which CPU may run it from the next time on: one, [`ANY`] or [`NONE`].
    pub fn pin(&self, cpu: usize) {
        masked(|| change_queue(|_| self.affinity.store(cpu, Ordering::Relaxed)));
    }

    fn may_run_on(&self, cpu: usize) -> bool {
        let affinity = self.affinity.load(Ordering::Relaxed);
        affinity == ANY || affinity == cpu
    }

    fn is_idle(&self) -> bool {
        self.main.load(Ordering::Relaxed) == 0
    }

    /// Which of the mode's bits are set, in either place.
    fn bits(&self) -> Bits {
        let mut bits = Bits::EMPTY;
        let [by_sp_el0, by_tpidr] = &self.infos;
        let flags = by_sp_el0.flags.load(Ordering::Relaxed);
        let byte = u64::from(by_tpidr.lazy_mmu.load(Ordering::Relaxed));
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

struct Stacks(UnsafeCell<[Stack<STACK_PAGES>; THREADS]>);

// SAFETY: each is its thread's.
unsafe impl Sync for Stacks {}

static STACKS: Stacks = Stacks(UnsafeCell::new([const { Stack::new() }; THREADS]));

/// The threads that wait to run.
type Queue = Vec<&'static Thread, THREADS>;

static QUEUE: SpinMutex<Queue> = SpinMutex::new(Vec::new());

/// A bit for each CPU: whether there is a thread in the queue that it may run. So that CPUs without one do not wait for the
/// lock all the time.
static RUNNABLE: AtomicUsize = AtomicUsize::new(0);

/// Changes the queue, or what counts for it. With interrupts masked: a handler takes the lock too.
fn change_queue<R>(change: impl FnOnce(&mut Queue) -> R) -> R {
    let mut queue = QUEUE.lock();
    let result = change(&mut queue);
    let runnable = (0..CPUS).filter(|&cpu| queue.iter().any(|it| it.may_run_on(cpu)));
    RUNNABLE.store(runnable.fold(0, |set, it| set | 1 << it), Ordering::Relaxed);
    result
}

/// The books of this CPU's interrupt handlers, for one of them.
#[must_use]
pub fn books_of_handlers() -> &'static Books {
    &CPU[cpu()].books
}

/// The thread that asks; in a handler, the one that it interrupted. In programs that have called [`init_cpu`].
#[must_use]
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
///
/// # Panics
///
/// If there are [`THREADS`] already.
pub fn spawn(main: fn(), flags: u64, cpu: usize) -> &'static Thread {
    let number = SPAWNED.fetch_add(1, Ordering::Relaxed);
    let thread = POOL.get(number).expect("there are so many threads");
    thread.main.store(main as usize, Ordering::Relaxed);
    thread.affinity.store(cpu, Ordering::Relaxed);
    for info in &thread.infos {
        info.flags.store(flags, Ordering::Relaxed);
    }
    // SAFETY: in bounds; the end of its stack.
    let top = unsafe { STACKS.0.get().cast::<Stack<STACK_PAGES>>().add(number + 1) };
    let frame = top.cast::<[u64; FRAME]>().wrapping_sub(1);
    let mut registers = [0; FRAME];
    registers[LINK_REGISTER] = begin as *const () as u64;
    // SAFETY: the thread has not run yet, so nobody else uses its stack.
    unsafe { frame.write(registers) };
    thread
        .sp
        .store(frame.expose_provenance() as u64, Ordering::Relaxed);
    masked(|| publish(thread));
    thread
}

/// The threads that were spawned so far.
#[must_use]
pub fn threads() -> &'static [Thread] {
    &POOL[..SPAWNED.load(Ordering::Relaxed)]
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
        if RUNNABLE.load(Ordering::Relaxed) & 1 << cpu() != 0 {
            yield_now();
        }
        core::hint::spin_loop();
    }
}

/// Runs `f` with interrupts masked.
fn masked<R>(f: impl FnOnce() -> R) -> R {
    let unmasked = !DAIF.is_set(DAIF::I);
    // SAFETY: masking interrupts changes no memory.
    unsafe { asm!("msr daifset, #2", options(nostack, preserves_flags)) };
    let result = f();
    if unmasked {
        // SAFETY: as they were before.
        unsafe { asm!("msr daifclr, #2", options(nostack, preserves_flags)) };
    }
    result
}

/// Puts a thread into the queue. With interrupts masked.
fn publish(thread: &'static Thread) {
    if change_queue(|queue| queue.push(thread)).is_err() {
        unreachable!("it has room for all threads");
    }
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
    let must_leave =
        !this.is_idle() && (this.finished.load(Ordering::Relaxed) || !this.may_run_on(cpu));
    let next = match next {
        Some(next) => next,
        None if must_leave => &CPU[cpu].idle,
        None => return,
    };
    CPU[cpu]
        .left
        .store(from_ref(this).cast_mut(), Ordering::Relaxed);
    this.cpu.store(cpu, Ordering::Relaxed);
    // Before another CPU can run this thread: that one's barriers would not complete what was stored on this CPU.
    this.books.leave_cpu();
    run_as(next);
    // SAFETY: `next` is not running, so its stack pointer is that of its frame; and nobody else runs it, because it was taken
    // out of the queue, or is this CPU's.
    unsafe { switch_to(this.sp.as_ptr(), next.sp.as_ptr()) };
    arrive();
}

/// What a thread does first when it runs again, or for the first time.
fn arrive() {
    let cpu = cpu();
    let left = CPU[cpu].left.load(Ordering::Relaxed);
    // SAFETY: `schedule` has stored it, on this CPU, just before.
    let left = unsafe { &*left };
    // Only now: its registers are saved, its stack is no longer in use.
    if !left.is_idle() && !left.finished.load(Ordering::Relaxed) {
        publish(left);
    }
    let this = current();
    this.books.take_over();
    let before = this.cpu.swap(cpu, Ordering::Relaxed);
    if before != cpu && before != NONE && !this.is_idle() {
        this.books.enter_another_cpu();
        let migrations = &this.migrations;
        let bits = this.bits();
        migrations.all.fetch_add(1, Ordering::Relaxed);
        for (bit, count) in [
            (Bits::ACTIVE, &migrations.in_section),
            (Bits::PENDING, &migrations.pending),
        ] {
            count.fetch_add(u64::from(bits.contains(bit)), Ordering::Relaxed);
        }
    }
}

/// Where a thread begins, with interrupts masked.
extern "C" fn begin() -> ! {
    arrive();
    let this = current();
    let main = this.main.load(Ordering::Relaxed);
    // SAFETY: `spawn` has stored the address of such a function.
    let main: fn() = unsafe { core::mem::transmute(main) };
    // SAFETY: the thread may be interrupted from here on.
    unsafe { asm!("msr daifclr, #2", options(nostack, preserves_flags)) };
    main();
    masked(|| {
        this.finished.store(true, Ordering::Release);
        schedule();
    });
    unreachable!("a finished thread does not run again")
}

/// Registers in a frame: x19 to x30, d8 to d15.
const FRAME: usize = 20;
/// x30 among them.
const LINK_REGISTER: usize = 11;

/// Saves what a function's callee saves on the stack, and the stack pointer in `from`; loads those of `to`, and returns there.
///
/// # Safety
///
/// `from` is where the stack pointer of the thread that runs is kept, `to` that of one that does not run, whose frame is on its
/// stack. Interrupts are masked.
#[unsafe(naked)]
unsafe extern "C" fn switch_to(from: *mut u64, to: *mut u64) {
    naked_asm!(
        "sub sp, sp, #160",
        "stp x19, x20, [sp, #0]",
        "stp x21, x22, [sp, #16]",
        "stp x23, x24, [sp, #32]",
        "stp x25, x26, [sp, #48]",
        "stp x27, x28, [sp, #64]",
        "stp x29, x30, [sp, #80]",
        "stp d8, d9, [sp, #96]",
        "stp d10, d11, [sp, #112]",
        "stp d12, d13, [sp, #128]",
        "stp d14, d15, [sp, #144]",
        "mov x9, sp",
        "str x9, [x0]",
        "ldr x9, [x1]",
        "mov sp, x9",
        "ldp x19, x20, [sp, #0]",
        "ldp x21, x22, [sp, #16]",
        "ldp x23, x24, [sp, #32]",
        "ldp x25, x26, [sp, #48]",
        "ldp x27, x28, [sp, #64]",
        "ldp x29, x30, [sp, #80]",
        "ldp d8, d9, [sp, #96]",
        "ldp d10, d11, [sp, #112]",
        "ldp d12, d13, [sp, #128]",
        "ldp d14, d15, [sp, #144]",
        "add sp, sp, #160",
        "ret",
    )
}
