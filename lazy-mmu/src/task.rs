//! The handle of the current task, from which owned sections come.

use core::fmt;

use crate::backend::Backend;
use crate::global::Global;
use crate::level::{OpenSection, Outer, leave_open};
use crate::raw::BoundToThread;
use crate::section::{LazyMmu, enter_outer};

/// The handle of the current task: where a section that its user owns is entered.
///
/// While such a section lives the handle is borrowed, so there is no second one, and a function that may sleep, and
/// therefore asks for `&mut Task`, cannot be called inside it.
///
/// The handle keeps the token of its open section. If the guard was forgotten ([`core::mem::forget`]), the next
/// [`enter`](Self::enter), or the drop of the handle, leaves in its place.
pub struct Task<B: Backend = Global> {
    bits: B::Storage,
    open: OpenSection,
    _thread: BoundToThread,
}

impl<B: Backend> Task<B> {
    /// The handle of the thread that calls.
    ///
    /// # Safety
    ///
    /// * This is called by a thread for itself, never in an interrupt or exception handler; and the handle is not
    ///   used by a handler that interrupts the thread.
    /// * The thread has no other handle as long as this one lives.
    /// * The handle is dropped, not forgotten, before its thread ends, or no section of it is ever forgotten.
    #[inline]
    pub unsafe fn current() -> Self {
        Self {
            bits: B::current(),
            open: None,
            _thread: BoundToThread::HERE,
        }
    }

    /// Opens a section, which lasts until the guard is dropped or [left](LazyMmu::leave).
    ///
    /// ```
    /// use lazy_mmu::Task;
    /// use lazy_mmu::sim::Sim;
    ///
    /// // SAFETY: the only handle of this thread.
    /// let mut task = unsafe { Task::<Sim>::current() };
    /// let section = task.enter();
    /// assert!(lazy_mmu::is_active::<Sim>());
    /// section.leave();
    /// assert!(!lazy_mmu::is_active::<Sim>());
    /// ```
    #[inline]
    pub fn enter(&mut self) -> LazyMmu<'_, Outer, B> {
        self.heal();
        enter_outer(self.bits, &mut self.open)
    }

    /// Leaves in the place of a guard that was forgotten.
    #[inline]
    fn heal(&mut self) {
        leave_open::<B>(self.bits, &mut self.open);
    }
}

impl<B: Backend> Drop for Task<B> {
    #[inline]
    fn drop(&mut self) {
        self.heal();
    }
}

impl<B: Backend> fmt::Debug for Task<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use crate::bits::Storage as _;

        f.debug_struct("Task")
            .field("bits", &self.bits.load())
            .field("open", &self.open)
            .finish_non_exhaustive()
    }
}
