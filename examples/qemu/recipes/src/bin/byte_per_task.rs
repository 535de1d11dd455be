//! The first recipe of K12: a byte for each task.
//!
//! The kernel has a structure for each task, and SP_EL0 points to that of the running task. One
//! byte of it holds the bits. A task may be switched away inside a section, by an interrupt or at
//! its own request, and may continue on another CPU. A kernel that can choose uses this recipe.

#![no_std]
#![no_main]

use core::mem::offset_of;
use core::ptr::{eq, from_ref, with_exposed_provenance};
use core::sync::atomic::{AtomicU8, AtomicU32, Ordering::Relaxed};

use aarch64_cpu::registers::{Readable, SP_EL0, Writeable};
use aarch64_rt::{ExceptionHandlers, RegisterStateRef, entry, exception_handlers};
use lazy_mmu_qemu::interrupts;
use lazy_mmu_qemu::tasks::{self, Context, Stack};
use lazy_mmu_qemu::thread_info::{HARDIRQ, INTERRUPT_MASK};
use lazy_mmu_recipes::tables;
use lazy_mmu_recipes::work::{self, Counted};
use semihosting::{println, process};

// lazy-mmu: begin
use aarch64_cpu::asm::barrier;
use lazy_mmu::Task as Handle;
use lazy_mmu::aarch64::{self, Aarch64, ByteAt, PreemptCountAt, SpEl0};
// lazy-mmu: end

/// A task. SP_EL0 points to the running one.
struct Task {
    context: Context,
    preempt_count: AtomicU32,
    // lazy-mmu: begin
    /// The bits of the task.
    lazy_mmu: AtomicU8,
    // lazy-mmu: end
}

impl Task {
    const fn new() -> Self {
        Self {
            context: Context::new(),
            preempt_count: AtomicU32::new(0),
            // lazy-mmu: begin
            lazy_mmu: AtomicU8::new(0),
            // lazy-mmu: end
        }
    }
}

static TASKS: [Task; 2] = [const { Task::new() }; 2];
static STACK: Stack = Stack::new();

// lazy-mmu: begin
struct Kernel;

// SAFETY: `main` points SP_EL0 to the running task's structure, and `schedule` keeps it there, also
// for handlers. Only the task uses the byte, which is clear at first. The handler counts itself in
// the preempt count. A switch executes `dsb ish` and `isb`.
unsafe impl aarch64::Kernel for Kernel {
    type Task = SpEl0;
    type Bits = ByteAt<{ offset_of!(Task, lazy_mmu) }>;
    type Interrupt = PreemptCountAt<{ offset_of!(Task, preempt_count) }, INTERRUPT_MASK>;
}

type Mmu = Aarch64<Kernel>;
// lazy-mmu: end

fn current() -> &'static Task {
    let task: *const Task =
        with_exposed_provenance(usize::from_ne_bytes(SP_EL0.get().to_ne_bytes()));
    // SAFETY: `set_current` has loaded the register with a reference to a static.
    unsafe { &*task }
}

fn set_current(task: &'static Task) {
    SP_EL0.set(from_ref(task).expose_provenance() as u64);
}

/// Runs the other task. The caller has masked interrupts.
fn schedule() {
    let this = current();
    let next = &TASKS[usize::from(eq(this, &raw const TASKS[0]))];
    // lazy-mmu: begin
    // `this` may continue on another CPU. Its stores and TLB invalidations must be complete before.
    barrier::dsb(barrier::ISH);
    // `next` may come from another CPU. This CPU must fetch its instructions anew.
    barrier::isb(barrier::SY);
    // lazy-mmu: end
    set_current(next);
    // SAFETY: `this` is running, and `next` is not.
    unsafe { tasks::switch(&this.context, &next.context) };
    work::note_switch();
}

struct Handlers;

impl ExceptionHandlers for Handlers {
    extern "C" fn irq_current(_: RegisterStateRef<'_>) {
        let count = &current().preempt_count;
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
    set_current(&TASKS[0]);
    // SAFETY: the task has not run yet, and only it uses the stack.
    unsafe { TASKS[1].context.prepare(STACK.top(), second) };
    work::run_first::<Counted<Mmu>>(schedule);
    work::report("a byte per task");
    own_guard();
    process::exit(0)
}

extern "C" fn second() -> ! {
    work::run_second::<Counted<Mmu>>(schedule)
}

/// Opens a section by the task's handle. The guard lives across a switch.
fn own_guard() {
    // lazy-mmu: begin
    // SAFETY: this is the only handle of the task.
    let mut task = unsafe { Handle::<Mmu>::current() };
    // lazy-mmu: end
    let mut section = task.enter();
    section.write(tables::slot(0), tables::leaf(0));
    let before = current().lazy_mmu.load(Relaxed);
    tasks::masked(schedule);
    assert_eq!(current().lazy_mmu.load(Relaxed), before);
    assert!(
        TASKS[1].lazy_mmu.load(Relaxed) == 0,
        "the other task has no section"
    );
    section.leave();
    tables::check(0, 0);
    task.check_idle().expect("the section is left");
    println!("C07 a task keeps its guard, and its pending pair, while the other one runs");
}
