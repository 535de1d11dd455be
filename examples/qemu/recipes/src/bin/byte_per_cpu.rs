//! The second recipe of K12: a byte for each CPU. Preemption is disabled while the mode is on.
//!
//! The kernel has a structure for each CPU, to which TPIDR_EL1 points. A task has no place for its
//! bits. The hooks of the backend disable preemption before stores are deferred, and enable it
//! after the pair. Only one task at a time therefore has bits. The byte is clear at each switch,
//! and the scheduler does not save it.
//!
//! Such a kernel has these further duties:
//!
//! * A task does not ask for a switch inside a section. `schedule` checks this.
//! * In a pause the hooks enable preemption, but the bits stay. The kernel therefore disables
//!   preemption itself around `paused`.
//! * An interrupt does not move a task to another CPU, because the crate may have just read where
//!   the byte is. A task that asks for a switch outside a section may be moved, unless its task
//!   handle lives.

#![no_std]
#![no_main]

use core::mem::offset_of;
use core::ptr::{from_ref, with_exposed_provenance};
use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicUsize, Ordering::Relaxed};

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
}

static TASKS: [Task; 2] = [const {
    Task {
        context: Context::new(),
    }
}; 2];

/// A CPU, to whose structure TPIDR_EL1 points.
struct Cpu {
    /// The number of the task that runs here.
    current: AtomicUsize,
    /// Preemption is enabled only while the count is 0. The bits are those of Linux.
    preempt_count: AtomicU32,
    /// Whether a switch was due while preemption was disabled.
    need_resched: AtomicBool,
    // lazy-mmu: begin
    /// The bits of the task that runs here.
    lazy_mmu: AtomicU8,
    // lazy-mmu: end
}

/// The only CPU.
static CPU: Cpu = Cpu {
    current: AtomicUsize::new(0),
    preempt_count: AtomicU32::new(0),
    need_resched: AtomicBool::new(false),
    // lazy-mmu: begin
    lazy_mmu: AtomicU8::new(0),
    // lazy-mmu: end
};

static STACK: Stack = Stack::new();

// lazy-mmu: begin
struct Kernel;

// SAFETY: `main` points TPIDR_EL1 to the CPU's structure, also for handlers. Preemption is disabled
// while the byte is not clear, so the byte belongs to one task. An interrupt does not move a task
// to another CPU. The handler counts itself in the preempt count. A switch executes `dsb ish` and
// `isb`.
unsafe impl aarch64::Kernel for Kernel {
    type Task = TpidrEl1;
    type Bits = ByteAt<{ offset_of!(Cpu, lazy_mmu) }>;
    type Interrupt = PreemptCountAt<{ offset_of!(Cpu, preempt_count) }, INTERRUPT_MASK>;

    const HAS_HOOKS: bool = true;

    fn mode_begins() {
        disable_preemption();
    }

    fn mode_ends() {
        enable_preemption();
    }
}

type Mmu = Aarch64<Kernel>;
// lazy-mmu: end

fn cpu() -> &'static Cpu {
    let cpu: *const Cpu =
        with_exposed_provenance(usize::from_ne_bytes(TPIDR_EL1.get().to_ne_bytes()));
    // SAFETY: `main` has loaded the register with a reference to a static.
    unsafe { &*cpu }
}

fn disable_preemption() {
    cpu().preempt_count.fetch_add(1, Relaxed);
}

/// Enables preemption. A switch that is due follows at the next interrupt or request.
fn enable_preemption() {
    cpu().preempt_count.fetch_sub(1, Relaxed);
}

/// Ends an interrupt: runs the other task, unless preemption is disabled.
fn preempt() {
    let cpu = cpu();
    if cpu.preempt_count.load(Relaxed) == 0 {
        schedule();
    } else {
        cpu.need_resched.store(true, Relaxed);
        REFUSED.fetch_add(1, Relaxed);
    }
}

static REFUSED: AtomicUsize = AtomicUsize::new(0);

/// Runs the other task. The caller has masked interrupts.
fn schedule() {
    let cpu = cpu();
    // lazy-mmu: begin
    lazy_mmu::check_idle::<Mmu>().expect("a task is switched away from outside sections only");
    // `this` may continue on another CPU. Its stores and TLB invalidations must be complete before.
    barrier::dsb(barrier::ISH);
    // `next` may come from another CPU. This CPU must fetch its instructions anew.
    barrier::isb(barrier::SY);
    // lazy-mmu: end
    cpu.need_resched.store(false, Relaxed);
    let this = cpu.current.fetch_xor(1, Relaxed);
    // SAFETY: `this` is running, and the other task is not.
    unsafe { tasks::switch(&TASKS[this].context, &TASKS[this ^ 1].context) };
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
        preempt();
    }
}

exception_handlers!(Handlers);

entry!(main);
fn main(_: u64, _: u64, _: u64, _: u64) -> ! {
    TPIDR_EL1.set(from_ref(&CPU).expose_provenance() as u64);
    // SAFETY: the task has not run yet, and only it uses the stack.
    unsafe { TASKS[1].context.prepare(STACK.top(), second) };
    work::run_first::<Counted<Mmu>>(schedule);
    work::report("a byte per CPU, preemption disabled while the mode is on");
    let refused = REFUSED.swap(0, Relaxed);
    println!("K12 {refused} interrupts found preemption disabled by the hooks");
    due_after_section();
    pause();
    assert_eq!(REFUSED.load(Relaxed), 2);
    println!(
        "K12 a switch that is due in a section comes after it; a pause has preemption disabled"
    );
    process::exit(0)
}

extern "C" fn second() -> ! {
    work::run_second::<Counted<Mmu>>(schedule)
}

/// Shows that a switch which becomes due inside a section follows the section.
fn due_after_section() {
    lazy_mmu::with::<Mmu, _>(|mmu| {
        mmu.write(tables::slot(0), tables::leaf(0));
        interrupts::wait_for_timer();
        assert!(cpu().need_resched.load(Relaxed), "a switch is due");
    });
    assert_eq!(cpu().preempt_count.load(Relaxed), 0);
    tasks::masked(|| {
        if cpu().need_resched.load(Relaxed) {
            schedule();
        }
    });
    assert!(!cpu().need_resched.load(Relaxed), "the other task has run");
    tables::check(0, 0);
}

/// Shows a pause. The mode is off, but its bits stay, so the kernel disables preemption itself.
fn pause() {
    lazy_mmu::with::<Mmu, _>(|mmu| {
        disable_preemption();
        mmu.paused(|| {
            interrupts::wait_for_timer();
            lazy_mmu::write::<Mmu, _>(tables::slot(1), tables::leaf(1));
            tables::check(1, 1);
        });
        enable_preemption();
    });
}
