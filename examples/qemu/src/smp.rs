//! More CPUs than one: started by PSCI, with the same tables.
//!
//! Only for programs that are run with `gic-version=3` and [`CPUS`] CPUs, at EL1.

use core::sync::atomic::{
    AtomicUsize,
    Ordering::{Acquire, Release},
};

use aarch64_cpu::registers::{MPIDR_EL1, Readable};
use aarch64_rt::start_core;
use smccc::Hvc;

use crate::tasks::{STACK_PAGES, Stack};
use crate::{interrupts, scheduler, upper};

/// How many there are.
pub const CPUS: usize = 4;

/// The stack on which a CPU looks for something to run.
static STACKS: [Stack; CPUS] = [const { Stack::new() }; CPUS];

/// How many CPUs are ready, the first not counted.
static READY: AtomicUsize = AtomicUsize::new(0);

/// The number of the CPU that asks, from 0. Without meaning where the thread may migrate: with interrupts masked only.
pub fn cpu() -> usize {
    // The board counts up to 16 CPUs in Aff0.
    #[expect(clippy::cast_possible_truncation, reason = "it is 8 bits")]
    let number = MPIDR_EL1.read(MPIDR_EL1::Aff0) as usize;
    number
}

/// Starts the other CPUs. Each walks the tables that this one walks, takes interrupts, calls `first`, and then runs what the
/// [scheduler](crate::scheduler) has for it.
pub fn start(first: fn()) {
    let root = upper::root();
    for (cpu, stack) in STACKS.iter().enumerate().skip(1) {
        let main = move || {
            scheduler::init_cpu();
            upper::activate(root, 16);
            interrupts::init_cpu(cpu);
            READY.fetch_add(1, Release);
            first();
            scheduler::idle();
        };
        // SAFETY: the stack is this CPU's alone, forever, and in the identity map that both have.
        unsafe { start_core::<Hvc, _, STACK_PAGES>(cpu as u64, stack.get(), main) }
            .expect("the machine has so many CPUs, and they are off");
    }
    while READY.load(Acquire) < CPUS - 1 {
        core::hint::spin_loop();
    }
}
