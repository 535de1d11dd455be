//! C10, C12, R02, R03 and R06: threads migrate to other harts in the middle of their sections,
//! while other harts set and clear other bits of their flags words.
//!
//! The fourth word after the mode says how the harts reach each other: `sbi`, `interrupt` or
//! `on-fault` (see [`policy`]). With `on-fault`, a hart that keeps an invalid entry faults, and the
//! emulated one does not. The program raises an exception in the place of a fault: before an access
//! to a page that another hart has mapped, and before the first access after a migration. Some
//! stacks are newly mapped too.

#![no_std]
#![no_main]

mod other_harts;
#[path = "../../../../kernels/migration/mod.rs"]
mod shared;

use core::sync::atomic::Ordering::Relaxed;

use lazy_mmu::lazy_mmu;
pub(crate) use lazy_mmu::riscv64::MAX_OPS;
use lazy_mmu::riscv64::descriptor::KERNEL_DATA;
use lazy_mmu_examples::format::Leaf;
use lazy_mmu_examples::page::{LEAF_LEVEL, VMALLOC_BASE};
use lazy_mmu_examples::{Error, MemoryManager, PageRange};
pub(crate) use lazy_mmu_qemu_riscv64 as kernel;
use lazy_mmu_qemu_riscv64::policy::{self, Policy};
use lazy_mmu_qemu_riscv64::scheduler::{self, current, spawn, spawn_on_stack, yield_now};
use lazy_mmu_qemu_riscv64::smp::CPUS;
use lazy_mmu_qemu_riscv64::tasks::{STACK_PAGES, STACK_SIZE, Stack};
use lazy_mmu_qemu_riscv64::thread::{ByteMmu, Mmu};
use lazy_mmu_qemu_riscv64::thread_info::HARDIRQ;
use lazy_mmu_qemu_riscv64::virt::{Virt, entries};
use lazy_mmu_qemu_riscv64::{access, interrupts, program, smp};

use shared::{handler, thread};

/// The first threads have stacks that are newly mapped. Those of the others are in the image's
/// identity map.
const MAPPED_STACKS: usize = 2;
/// The address of the first mapped stack. A page between two stacks is not mapped.
const STACKS_BASE: u64 = VMALLOC_BASE + (2 << 30);

static STACKS: [Stack; MAPPED_STACKS] = [const { Stack::new() }; MAPPED_STACKS];

lazy_mmu_qemu_riscv64::program!(run);

fn run() -> Result<(), Error> {
    let (policy, rows) = program::with_word(4, |word| match word {
        Some("sbi") | None => (Policy::Sbi, "C10 C12 R02 R03 R06 Sbi:"),
        Some("interrupt") => (Policy::Interrupt, "C10 C12 R02 R03 R06 Interrupt:"),
        Some("on-fault") => (Policy::OnFault, "C10 C12 R02 R03 R06 OnFault:"),
        Some(other) => panic!("word 4 is {other}, and not a policy"),
    });
    assert_eq!(smp::others().count() + 1, CPUS, "the number of harts");
    // The others may interrupt this hart.
    interrupts::init();
    let (mut mm, sections) = shared::boot(10_000)?;
    let stacks = (STACK_PAGES + 1) * MAPPED_STACKS;
    mm.build_tables(PageRange::new(STACKS_BASE, stacks)?)?;
    // All harts have fenced for the tables. From here on, they are reached as the word says.
    policy.choose();
    smp::run_on_others(|| {
        scheduler::init_cpu();
        other_harts::follow();
        scheduler::idle_until(|| false);
        unreachable!("a hart never ceases to be idle")
    });
    other_harts::lead();
    interrupts::on_return(scheduler::preempt);
    shared::run(rows, sections, |number, hart| {
        let main = if number.is_multiple_of(2) {
            thread::<Mmu>
        } else {
            thread::<ByteMmu>
        };
        if number < MAPPED_STACKS {
            // SAFETY: only this thread uses the stack.
            unsafe { spawn_on_stack(main, hart, map_stack(&mm, number)?) };
        } else {
            spawn(main, hart);
        }
        Ok(())
    })
}

/// Maps the stack of a thread, and returns the address behind it.
#[lazy_mmu(backend = Mmu, mmu)]
fn map_stack(mm: &MemoryManager<'static, Virt<Mmu>>, number: usize) -> Result<usize, Error> {
    let end = STACKS[number].top() as u64;
    let start = STACKS_BASE + ((STACK_PAGES + 1) * number * 4096) as u64;
    let slots = &entries(mm, start, LEAF_LEVEL)?[..STACK_PAGES];
    mmu.write_range(slots, |page| {
        Leaf::page(end - (STACK_SIZE - page * 4096) as u64, KERNEL_DATA)
    });
    Ok(usize::try_from(start).expect("64 bits") + STACK_SIZE)
}

/// Reads a word through the MMU. If a hart may keep the invalid entry, and the policy is that the
/// fault repairs it, the exception precedes the access.
pub(crate) fn read_mapped(address: u64) -> u64 {
    let thread = current();
    let in_interrupt = thread.infos[0].preempt_count.load(Relaxed) >= HARDIRQ;
    // The thread may have executed its own fence on another hart, and then set the flags on this
    // one. The handler of an interrupt has fenced on this hart.
    if !in_interrupt && thread.migrations.take() {
        policy::may_fault_next();
    }
    access::read_mapped(address)
}

pub(crate) fn start_timer(ticks: u64) {
    interrupts::start_timer(ticks, handler);
}

/// Lets this hart look for another thread. An interrupt would bring the fence of a trap.
pub(crate) fn look_for_another_thread() {
    yield_now();
}
