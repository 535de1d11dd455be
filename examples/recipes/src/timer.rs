//! Timer interrupts, one at a time: so the counts do not depend on the machine's speed.

use core::hint::spin_loop;
use core::ptr::with_exposed_provenance_mut;
use core::sync::atomic::{AtomicUsize, Ordering};

use aarch64_cpu::asm::barrier;
use aarch64_cpu::registers::{CNTP_CTL_EL0, CNTP_TVAL_EL0, ReadWriteable, Writeable};

/// One interrupt in the preempt count, whose bits are those of Linux.
pub const HARDIRQ: u32 = 1 << 16;
/// The bits of the preempt count that say that this is an interrupt.
pub const INTERRUPT_MASK: u32 = 0x00ff_ff00;

/// Registers of the GICv2 that the `virt` board has: of the distributor, and of the CPU's
/// interface.
const GICD_CTLR: usize = 0x0800_0000;
const GICD_ISENABLER0: usize = 0x0800_0100;
const GICC_CTLR: usize = 0x0801_0000;
const GICC_PMR: usize = 0x0801_0004;
const GICC_IAR: usize = 0x0801_000c;
const GICC_EOIR: usize = 0x0801_0010;

/// The interrupt of the EL1 physical timer.
const INTERRUPT: u32 = 30;

static TAKEN: AtomicUsize = AtomicUsize::new(0);

fn register(address: usize) -> *mut u32 {
    with_exposed_provenance_mut(address)
}

/// Enables the interrupt.
pub fn init() {
    for (address, value) in [
        (GICD_ISENABLER0, 1 << INTERRUPT),
        (GICD_CTLR, 1),
        (GICC_PMR, 0xff),
        (GICC_CTLR, 1),
    ] {
        // SAFETY: the identity map has the device there, and nobody else uses it.
        unsafe { register(address).write_volatile(value) };
    }
}

/// Lets the timer interrupt the task, and returns when that has happened. The handler may have
/// switched to another task in between.
#[inline(never)]
pub fn interrupt() {
    let before = TAKEN.load(Ordering::Relaxed);
    CNTP_TVAL_EL0.set(0);
    CNTP_CTL_EL0.modify(CNTP_CTL_EL0::ENABLE::SET);
    barrier::isb(barrier::SY);
    while TAKEN.load(Ordering::Relaxed) == before {
        spin_loop();
    }
}

/// What the handler does first: stops the timer.
///
/// # Panics
///
/// If it is another interrupt.
pub fn acknowledge() {
    // SAFETY: as in `init`.
    let interrupt = unsafe { register(GICC_IAR).read_volatile() };
    assert_eq!(interrupt, INTERRUPT, "no other interrupt is enabled");
    CNTP_CTL_EL0.modify(CNTP_CTL_EL0::ENABLE::CLEAR);
    barrier::isb(barrier::SY);
    // SAFETY: as in `init`.
    unsafe { register(GICC_EOIR).write_volatile(interrupt) };
    TAKEN.fetch_add(1, Ordering::Relaxed);
}
