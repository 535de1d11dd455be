//! C10 and C12: threads migrate to other CPUs in the middle of their sections, while other CPUs set
//! and clear other bits of their flags words.
//!
//! `cargo xtask observe migration` runs the program under an observer, which reports each access
//! that relies on a barrier that was not executed. Most interrupt handlers execute no barrier,
//! because a barrier of theirs would replace a missing one of the interrupted thread. For the same
//! reason, no loop has the `isb` of `spin_loop`.

#![no_std]
#![no_main]

#[path = "../../../../kernels/migration/mod.rs"]
mod shared;

pub(crate) use lazy_mmu::aarch64::MAX_TLBI_OPS as MAX_OPS;
use lazy_mmu::aarch64::{Aarch64, Kernel};
use lazy_mmu_examples::Error;
pub(crate) use lazy_mmu_qemu as kernel;
pub(crate) use lazy_mmu_qemu::access::read_mapped;
use lazy_mmu_qemu::interrupts;
use lazy_mmu_qemu::scheduler::{self, spawn};
use lazy_mmu_qemu::smp::{self, CPUS, cpu};
use lazy_mmu_qemu::thread::{Byte, Mmu};

use shared::{handler, thread};

lazy_mmu_qemu::program!(run);

fn run() -> Result<(), Error> {
    let (_mm, sections) = shared::boot(100_000)?;
    interrupts::init(CPUS, handler);
    interrupts::on_return(scheduler::preempt);
    // No interrupt synchronizes a CPU before it has begun its first thread.
    smp::start(|| ());
    shared::run("C10 C12", sections, |number, cpu| {
        let main = if number.is_multiple_of(2) {
            thread::<Mmu>
        } else {
            thread::<Aarch64<Newer>>
        };
        spawn(main, cpu);
        Ok(())
    })
}

/// The kernel [`Byte`], on CPUs that need only one TLBI for an invalidation.
struct Newer;

// SAFETY: everything else is as there, and the emulated CPUs do not have the errata.
unsafe impl Kernel for Newer {
    type Task = <Byte as Kernel>::Task;
    type Bits = <Byte as Kernel>::Bits;
    type Interrupt = <Byte as Kernel>::Interrupt;

    fn needs_repeated_tlbi() -> bool {
        false
    }
}

pub(crate) fn start_timer(ticks: u64) {
    interrupts::set_timer(ticks, usize::MAX);
}

/// Lets this CPU look for another thread, at the end of an interrupt.
pub(crate) fn look_for_another_thread() {
    interrupts::send_to(cpu());
}
