//! A backend that disables preemption while pairs are deferred, by the hooks of a backend.
//!
//! Some architectures need this, because their batches belong to a CPU (Linux: powerpc and sparc).
//! aarch64 does not need it.

use core::marker::PhantomData;
use core::sync::atomic::{AtomicU32, Ordering};

use lazy_mmu::Backend;

/// The place of the current thread's preempt count. A thread is preempted only if its count is 0.
pub trait PreemptCount: 'static {
    /// Returns the count. Its lowest byte counts how often preemption is disabled.
    ///
    /// Linux calls this byte `PREEMPT_MASK`.
    fn current() -> &'static AtomicU32;
}

/// The backend `B`, with preemption disabled while barrier pairs are deferred.
#[derive(Debug)]
pub struct NoPreemption<B, P>(PhantomData<(B, P)>);

// SAFETY: `B` provides all methods except for the hooks, and the hooks do not change the bits.
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
        // `Relaxed` suffices, because only this thread writes its count.
        P::current().fetch_add(1, Ordering::Relaxed);
    }

    #[inline]
    fn mode_ends() {
        P::current().fetch_sub(1, Ordering::Relaxed);
    }
}
