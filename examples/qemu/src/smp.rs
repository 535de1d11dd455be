//! Several CPUs, which PSCI starts, and which use the same tables.
//!
//! This module is only for programs at EL1 that run with `gic-version=3` and [`CPUS`] CPUs.

use core::arch::asm;
use core::ptr::with_exposed_provenance_mut;
use core::sync::atomic::{
    AtomicUsize,
    Ordering::{Acquire, Release},
};

use aarch64_cpu::registers::{MPIDR_EL1, Readable};
use aarch64_rt::start_core;
use smccc::Hvc;
use spin::relax::RelaxStrategy;

use crate::tasks::{STACK_PAGES, Stack};
use crate::{interrupts, scheduler, upper};

/// The number of CPUs.
pub const CPUS: usize = 4;

/// The stacks on which the CPUs look for a thread to run.
static STACKS: [Stack; CPUS] = [const { Stack::new() }; CPUS];

impl Stack {
    fn get(&'static self) -> *mut aarch64_rt::Stack<STACK_PAGES> {
        let top: *mut aarch64_rt::Stack<STACK_PAGES> = with_exposed_provenance_mut(self.top());
        top.wrapping_sub(1)
    }
}

/// The number of CPUs that are ready, without the first one.
static READY: AtomicUsize = AtomicUsize::new(0);

/// Returns the number of the current CPU, counted from 0. In a thread that may migrate, the number
/// is of use only while interrupts are masked.
pub fn cpu() -> usize {
    // The board counts up to 16 CPUs in Aff0.
    #[expect(clippy::cast_possible_truncation, reason = "it is 8 bits")]
    let number = MPIDR_EL1.read(MPIDR_EL1::Aff0) as usize;
    number
}

/// Lets other CPUs go on, in a loop that waits for one of them.
///
/// [`spin_loop`](core::hint::spin_loop) is an `isb`, which would synchronize the CPU, and hide from
/// an observer that another `isb` is missing.
pub fn relax() {
    // SAFETY: the instruction is a hint.
    unsafe { asm!("yield", options(nostack, preserves_flags)) };
}

/// A lock waits by [`relax`].
#[derive(Debug)]
pub struct Relax;

impl RelaxStrategy for Relax {
    fn relax() {
        relax();
    }
}

/// Starts the other CPUs.
///
/// Each of them walks the tables of this CPU, takes interrupts, and calls `first`. It then runs
/// threads of the [scheduler](crate::scheduler).
pub fn start(first: fn()) {
    let root = upper::root();
    for cpu in 1..CPUS {
        start_cpu(cpu, move || {
            scheduler::init_cpu();
            upper::activate(root, 16);
            interrupts::init_cpu(cpu);
            READY.fetch_add(1, Release);
            first();
            scheduler::idle_until(|| false);
        });
    }
    while READY.load(Acquire) < CPUS - 1 {
        relax();
    }
}

/// Starts CPU number `cpu`, which runs `main`. It has its stack and the identity map.
pub fn start_cpu(cpu: usize, main: impl FnOnce() + Send + 'static) {
    // SAFETY: only this CPU ever uses the stack, which is in the identity map of both CPUs.
    unsafe { start_core::<Hvc, _, STACK_PAGES>(cpu as u64, STACKS[cpu].get(), main) }
        .expect("the machine has so many CPUs, and they are off");
}
