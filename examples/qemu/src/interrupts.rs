//! Interrupts: the GIC, and the calls of the program's handler.
//!
//! This module is only for programs at EL1 that run with `gic-version=3`.

use core::ptr::{NonNull, with_exposed_provenance_mut};
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use aarch64_cpu::asm::barrier;
use aarch64_cpu::registers::{CNTP_CTL_EL0, CNTP_TVAL_EL0, ReadWriteable, Writeable};

use arm_gic::gicv3::registers::{Gicd, GicrSgi};
use arm_gic::gicv3::{GicCpuInterface, GicV3, SgiTarget, SgiTargetGroup};
use arm_gic::{IntId, InterruptGroup, UniqueMmioPointer};
use spin::Once;
use spin::mutex::SpinMutex;

use crate::interval;
use crate::smp::{Relax, relax};
use crate::thread_info::in_interrupt;

/// The addresses of the distributor and of the redistributors on the `virt` board.
const DISTRIBUTOR: usize = 0x0800_0000;
const REDISTRIBUTORS: usize = 0x080a_0000;

/// The interrupt that [`send_to`] sends.
const SGI: IntId = IntId::sgi(1);
/// The interrupt of the EL1 physical timer: PPI 14, INTID 30.
const TIMER: IntId = IntId::ppi(14);

/// The program's handler.
static HANDLER: Once<fn()> = Once::new();
/// The number of interrupts taken.
static TAKEN: AtomicUsize = AtomicUsize::new(0);

/// The function that runs after each handler.
static ON_RETURN: Once<fn()> = Once::new();

static GIC: SpinMutex<Option<GicV3<'static>>, Relax> = SpinMutex::new(None);

/// Sets up the GIC for `cpus` CPUs, and unmasks interrupts on the first of them, this one.
///
/// Each interrupt calls `handler`.
pub fn init(cpus: usize, handler: fn()) {
    HANDLER.call_once(|| handler);
    enable(cpus);
}

/// Sets up the GIC as [`init`] does, for a program with its own vectors. The handler of that
/// program calls [`acknowledge`].
pub fn enable(cpus: usize) {
    let distributor: NonNull<Gicd> =
        NonNull::new(with_exposed_provenance_mut(DISTRIBUTOR)).expect("it is not at 0");
    let redistributors: NonNull<GicrSgi> =
        NonNull::new(with_exposed_provenance_mut(REDISTRIBUTORS)).expect("they are not at 0");
    // SAFETY: the identity map has it here as device memory, and only this module uses it.
    let distributor = unsafe { UniqueMmioPointer::new(distributor) };
    // SAFETY: as above.
    let gic = unsafe { GicV3::new(distributor, redistributors, cpus) };
    let mut gic = gic.expect("the board has a GICv3");
    gic.setup(0);
    *GIC.lock() = Some(gic);
    init_cpu(0);
}

/// Unmasks interrupts on this CPU, whose number is `cpu`.
pub fn init_cpu(cpu: usize) {
    {
        let mut gic = GIC.lock();
        let gic = gic.as_mut().expect("the GIC is set up");
        gic.init_cpu(cpu);
        for interrupt in [SGI, TIMER] {
            gic.set_interrupt_priority(interrupt, Some(cpu), 0x80)
                .expect("there is such an interrupt");
            gic.enable_interrupt(interrupt, Some(cpu), true)
                .expect("there is such an interrupt");
        }
    }
    GicCpuInterface::enable_group1(true);
    GicCpuInterface::set_priority_mask(0xff);
    arm_gic::irq_enable();
}

/// Sets the function that runs after each handler, while interrupts are still masked. It may switch
/// to another thread.
pub fn on_return(then: fn()) {
    ON_RETURN.call_once(|| then);
}

/// Sends an interrupt to CPU number `cpu`, which takes it once its interrupts are unmasked.
pub fn send_to(cpu: usize) {
    let target = SgiTarget::List {
        affinity3: 0,
        affinity2: 0,
        affinity1: 0,
        target_list: 1 << cpu,
    };
    GicCpuInterface::send_sgi(SGI, target, SgiTargetGroup::CurrentGroup1)
        .expect("there is such an interrupt");
}

/// Lets the timer interrupt this CPU until `budget` interrupts have been taken.
///
/// Consecutive interrupts are at least `ticks` of the timer's counter apart. A `ticks` of 0 stops
/// the timer.
pub fn set_timer(ticks: u64, budget: usize) {
    BUDGET.store(budget, Relaxed);
    TICKS.store(ticks, Relaxed);
    CNTP_TVAL_EL0.set(ticks);
    CNTP_CTL_EL0.modify(if ticks == 0 {
        CNTP_CTL_EL0::ENABLE::CLEAR
    } else {
        CNTP_CTL_EL0::ENABLE::SET
    });
    barrier::isb(barrier::SY);
}

static BUDGET: AtomicUsize = AtomicUsize::new(usize::MAX);
/// The timer's interval.
static TICKS: AtomicU64 = AtomicU64::new(0);

/// Returns the number of interrupts taken since the last call.
pub fn taken() -> usize {
    TAKEN.swap(0, Relaxed)
}

/// Lets the timer interrupt the task once, and returns after the interrupt. The handler may have
/// run another task in the meantime.
#[inline(never)]
pub fn wait_for_timer() {
    let before = TAKEN.load(Relaxed);
    set_timer(1, 0);
    while TAKEN.load(Relaxed) == before {
        relax();
    }
}

/// Takes the interrupt from the GIC, as the first step of a handler.
pub fn acknowledge() {
    let known = GicCpuInterface::handle_interrupt(InterruptGroup::Group1, |interrupt| {
        assert!(
            interrupt == SGI || interrupt == TIMER,
            "no other interrupt is enabled"
        );
        if interrupt == TIMER {
            CNTP_TVAL_EL0.set(interval::at_least(TICKS.load(Relaxed)));
            if TAKEN.load(Relaxed) >= BUDGET.load(Relaxed) {
                CNTP_CTL_EL0.modify(CNTP_CTL_EL0::ENABLE::CLEAR);
            }
        }
    });
    assert!(known, "a spurious interrupt");
    TAKEN.fetch_add(1, Relaxed);
}

/// Handles an interrupt. The vector calls this.
pub(crate) fn on_interrupt() {
    acknowledge();
    in_interrupt(HANDLER.get().expect("`init` has set it"));
    if let Some(then) = ON_RETURN.get() {
        then();
    }
}
