//! The third recipe of K12: a byte for each CPU, which the scheduler swaps.
//!
//! The kernel has a structure for each CPU, to which TPIDR_EL1 points. One byte of it holds the
//! bits of the running task. While a task does not run, the scheduler keeps its bits in the task's
//! own structure. A task may therefore be switched away inside a section, by an interrupt or at its
//! own request.
//!
//! Such a kernel has two further duties. A task stays on its CPU inside a section, because the
//! section remembers where the byte is. An interrupt does not move a task to another CPU, because
//! the crate may have just read where the byte is. A task that asks for a switch outside a section
//! may be moved, unless its task handle lives.

#![no_std]
#![no_main]

use core::mem::offset_of;
use core::ptr::{from_ref, with_exposed_provenance};
use core::sync::atomic::{AtomicU8, AtomicU32, AtomicUsize, Ordering::Relaxed};

use aarch64_cpu::registers::{Readable, TPIDR_EL1, Writeable};
use aarch64_rt::{ExceptionHandlers, RegisterStateRef, entry, exception_handlers};
use lazy_mmu_qemu::interrupts;
use lazy_mmu_qemu::tasks::{self, Context, Stack};
use lazy_mmu_qemu::thread_info::{HARDIRQ, INTERRUPT_MASK};
use lazy_mmu_recipes::tables;
use lazy_mmu_recipes::work::{self, Counted};
use semihosting::{println, process};

// lazy-mmu: begin
use aarch64_cpu::asm::barrier;
use lazy_mmu::aarch64::{self, Aarch64, ByteAt, PreemptCountAt, TpidrEl1};
// lazy-mmu: end

/// A task.
struct Task {
    context: Context,
    // lazy-mmu: begin
    /// The bits of the task while it does not run.
    lazy_mmu: AtomicU8,
    // lazy-mmu: end
}

impl Task {
    const fn new() -> Self {
        Self {
            context: Context::new(),
            // lazy-mmu: begin
            lazy_mmu: AtomicU8::new(0),
            // lazy-mmu: end
        }
    }
}

static TASKS: [Task; 2] = [const { Task::new() }; 2];

/// A CPU, to whose structure TPIDR_EL1 points.
struct Cpu {
    /// The number of the task that runs here.
    current: AtomicUsize,
    /// The depth of interrupts, in the bits that Linux uses.
    preempt_count: AtomicU32,
    // lazy-mmu: begin
    /// The bits of the task that runs here.
    lazy_mmu: AtomicU8,
    // lazy-mmu: end
}

/// The only CPU.
static CPU: Cpu = Cpu {
    current: AtomicUsize::new(0),
    preempt_count: AtomicU32::new(0),
    // lazy-mmu: begin
    lazy_mmu: AtomicU8::new(0),
    // lazy-mmu: end
};

static STACK: Stack = Stack::new();

// lazy-mmu: begin
struct Kernel;

// SAFETY: `main` points TPIDR_EL1 to the CPU's structure, also for handlers. The scheduler swaps
// the byte, so each task finds its own bits. Neither a switch inside a section nor an interrupt
// moves a task to another CPU. The handler counts itself in the preempt count. A switch executes
// `dsb ish` and `isb`.
unsafe impl aarch64::Kernel for Kernel {
    type Task = TpidrEl1;
    type Bits = ByteAt<{ offset_of!(Cpu, lazy_mmu) }>;
    type Interrupt = PreemptCountAt<{ offset_of!(Cpu, preempt_count) }, INTERRUPT_MASK>;
}

type Mmu = Aarch64<Kernel>;
// lazy-mmu: end

fn cpu() -> &'static Cpu {
    let cpu: *const Cpu =
        with_exposed_provenance(usize::from_ne_bytes(TPIDR_EL1.get().to_ne_bytes()));
    // SAFETY: `main` has loaded the register with a reference to a static.
    unsafe { &*cpu }
}

/// Runs the other task. The caller has masked interrupts.
fn schedule() {
    let cpu = cpu();
    let number = cpu.current.fetch_xor(1, Relaxed);
    let [this, next] = [&TASKS[number], &TASKS[number ^ 1]];
    // lazy-mmu: begin
    let of_next = next.lazy_mmu.load(Relaxed);
    let of_this = cpu.lazy_mmu.swap(of_next, Relaxed);
    this.lazy_mmu.store(of_this, Relaxed);
    // `this` may continue on another CPU. Its stores and TLB invalidations must be complete before.
    barrier::dsb(barrier::ISH);
    // `next` may come from another CPU. This CPU must fetch its instructions anew.
    barrier::isb(barrier::SY);
    // lazy-mmu: end
    // SAFETY: `this` is running, and `next` is not.
    unsafe { tasks::switch(&this.context, &next.context) };
    work::note_switch();
}

struct Handlers;

impl ExceptionHandlers for Handlers {
    extern "C" fn irq_current(_: RegisterStateRef<'_>) {
        let count = &cpu().preempt_count;
        count.fetch_add(HARDIRQ, Relaxed);
        interrupts::acknowledge();
        work::handle::<Counted<Mmu>>();
        count.fetch_sub(HARDIRQ, Relaxed);
        schedule();
    }
}

exception_handlers!(Handlers);

entry!(main);
fn main(_: u64, _: u64, _: u64, _: u64) -> ! {
    TPIDR_EL1.set(from_ref(&CPU).expose_provenance() as u64);
    // SAFETY: the task has not run yet, and only it uses the stack.
    unsafe { TASKS[1].context.prepare(STACK.top(), second) };
    work::run_first::<Counted<Mmu>>(schedule);
    work::report("a byte per CPU, swapped by the scheduler");
    yields_in_section();
    process::exit(0)
}

extern "C" fn second() -> ! {
    work::run_second::<Counted<Mmu>>(schedule)
}

/// Shows that a task may ask for a switch inside a section.
fn yields_in_section() {
    lazy_mmu::with::<Mmu, _>(|mmu| {
        mmu.write(tables::slot(0), tables::leaf(0));
        let before = cpu().lazy_mmu.load(Relaxed);
        tasks::masked(schedule);
        assert_eq!(cpu().lazy_mmu.load(Relaxed), before);
    });
    tables::check(0, 0);
    assert_eq!(cpu().lazy_mmu.load(Relaxed), 0);
    println!("C07 a task keeps its pending pair while the other one runs");
}
