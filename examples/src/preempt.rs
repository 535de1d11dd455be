//! A backend that disables preemption while stores are deferred: a user of the hooks.
//!
//! Some architectures want it so (Linux: powerpc and sparc, whose batches are per CPU); on aarch64 nothing needs it.

use core::marker::PhantomData;
use core::sync::atomic::{AtomicU32, Ordering};

use lazy_mmu::Backend;

/// Where the current thread's preempt count is: not 0 means that it is not preempted.
pub trait PreemptCount: 'static {
    /// The count; its lowest byte is how often preemption is disabled (Linux: `PREEMPT_MASK`).
    fn current() -> &'static AtomicU32;
}

/// The backend `B`, with preemption disabled while stores are deferred.
#[derive(Debug)]
pub struct NoPreemption<B, P>(PhantomData<(B, P)>);

// SAFETY: everything is `B`'s but the hooks, which touch no bits.
unsafe impl<B: Backend, P: PreemptCount> Backend for NoPreemption<B, P> {
    type Storage = B::Storage;
    type Machine = B::Machine;

    #[inline]
    fn current() -> Self::Storage {
        B::current()
    }

    #[inline]
    fn in_interrupt() -> bool {
        B::in_interrupt()
    }

    const HAS_HOOKS: bool = true;

    #[inline]
    fn mode_begins() {
        // The count is the thread's own: no other CPU writes it.
        P::current().fetch_add(1, Ordering::Relaxed);
    }

    #[inline]
    fn mode_ends() {
        P::current().fetch_sub(1, Ordering::Relaxed);
    }
}
