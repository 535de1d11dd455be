//! The context switch of the [scheduler](crate::scheduler).
//!
//! The lock of the queue is the order that the contract of [`Kernel`](lazy_mmu::riscv64::Kernel)
//! demands: a release on the hart that gives a thread up, and an acquire on the hart that takes it
//! over. That hart then checks its flag of [`Policy::OnFault`](crate::policy::Policy::OnFault),
//! because the thread's stack may be newly mapped.

use crate::scheduler::{Queue, current, next, run_as, switched};
use crate::{policy, tasks};

/// Runs the next thread that may run on this hart.
///
/// It returns when the present thread continues. The caller has masked interrupts.
///
/// Not inlined, because a test can then remove the check.
#[inline(never)]
pub(crate) fn schedule(queue: Queue) {
    let this = current();
    let Some(next) = next(queue, this) else {
        return;
    };
    // The lock's acquire comes first. The stack of the next thread, and the mappings that it made
    // on another hart, are therefore older than this check. The check precedes the first access to
    // that stack.
    policy::check();
    run_as(next);
    // SAFETY: `next` is not running. Only this hart runs it, because it is this hart's idle thread,
    // or was taken out of the queue.
    unsafe { tasks::switch(&this.context, &next.context) };
    arrive();
}

/// Completes a switch, as the first step of a thread that runs again or for the first time.
pub(crate) fn arrive() {
    switched();
}
