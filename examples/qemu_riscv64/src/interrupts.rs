//! Interrupts: the timer of the SBI, the requests of other harts, and the program's handler.

use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use riscv::register::{sie, sip, time};
use sbi_rt::{HartMask, send_ipi};
use spin::Once;
use spin::mutex::SpinMutex;

use crate::tasks::masked;
use crate::thread_info::in_interrupt;
use crate::{hart, interval, smp};

/// The program's handler of timer interrupts.
static HANDLER: SpinMutex<fn()> = SpinMutex::new(|| {});
/// What follows each handler.
static ON_RETURN: Once<fn()> = Once::new();
/// The number of timer interrupts taken.
static TAKEN: AtomicUsize = AtomicUsize::new(0);
/// The least ticks between two timer interrupts.
static TICKS: AtomicU64 = AtomicU64::new(0);

/// Unmasks the software interrupts of this hart.
pub fn init() {
    // SAFETY: the vector is set, and its handler keeps the registers.
    unsafe { sie::set_ssoft() };
    // SAFETY: as above.
    unsafe { riscv::interrupt::enable() };
}

/// Lets the timer interrupt this hart again and again. Each interrupt calls `handler`.
///
/// Consecutive interrupts are at least `ticks` of the timer's counter apart, and at most 256 more.
pub fn start_timer(ticks: u64, handler: fn()) {
    // A handler takes the lock too.
    masked(|| *HANDLER.lock() = handler);
    TICKS.store(ticks, Relaxed);
    set_timer();
    // SAFETY: as in `init`.
    unsafe { sie::set_stimer() };
    // SAFETY: as above.
    unsafe { riscv::interrupt::enable() };
}

/// Stops the timer, and returns the number of interrupts taken since the last call.
pub fn stop_timer() -> usize {
    // SAFETY: a masked interrupt does not change the program.
    unsafe { sie::clear_stimer() };
    TAKEN.swap(0, Relaxed)
}

fn set_timer() {
    sbi_rt::set_timer(time::read64() + interval::at_least(TICKS.load(Relaxed)));
}

/// Interrupts a hart, this one too. Its handler calls the program's handler and [`on_return`]'s.
pub fn send_to(hart: usize) {
    let sent = send_ipi(HartMask::from_mask_base(1 << hart, 0));
    assert!(sent.is_ok(), "hart {hart} takes no interrupt: {sent:?}");
}

/// Calls `f` after each later interrupt, which may switch to another thread.
pub fn on_return(f: fn()) {
    ON_RETURN.call_once(|| f);
}

/// Handles an interrupt of the timer.
pub(crate) fn on_timer() {
    TAKEN.fetch_add(1, Relaxed);
    let handler = *HANDLER.lock();
    in_interrupt(handler);
    set_timer();
    if let Some(f) = ON_RETURN.get() {
        f();
    }
}

/// Handles an interrupt that another hart, or this one, has sent.
pub(crate) fn on_software_interrupt() {
    // SAFETY: the bit only asks for this interrupt.
    unsafe { sip::clear_ssoft() };
    // The request follows the clear: a hart that asks later sends another interrupt.
    hart::this().answer();
    in_interrupt(smp::on_request);
    if let Some(f) = ON_RETURN.get() {
        f();
    }
}
