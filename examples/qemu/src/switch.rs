//! The context switch of the [scheduler](crate::scheduler). It executes the barriers that the
//! contract of [`Backend`](lazy_mmu::Backend) demands: `dsb ish` on the CPU that gives the thread
//! up, and `isb` on the CPU that takes it over.

use aarch64_cpu::asm::barrier;

use crate::scheduler::{Queue, current, next, run_as, switched};
use crate::tasks;

/// Runs the next thread that may run on this CPU.
///
/// It returns when the present thread continues. The caller has masked interrupts.
///
/// Not inlined, because a test can then remove the barrier.
#[inline(never)]
pub(crate) fn schedule(queue: Queue) {
    let this = current();
    let Some(next) = next(queue, this) else {
        return;
    };
    // This precedes the switch, because another CPU may run the thread afterwards. The barriers of
    // that CPU would complete neither the stores that this CPU made nor its invalidations.
    barrier::dsb(barrier::ISH);
    run_as(next);
    // SAFETY: `next` is not running. Only this CPU runs it, because it is this CPU's idle thread,
    // or was taken out of the queue.
    unsafe { tasks::switch(&this.context, &next.context) };
    arrive();
}

/// Completes a switch, as the first step of a thread that runs again or for the first time.
pub(crate) fn arrive() {
    // This follows the switch, because the CPU may have fetched the thread's next instructions, and
    // translated their addresses, before the thread's mappings were visible.
    barrier::isb(barrier::SY);
    switched();
}
