//! The handle of the current task, from which owned sections come.

use core::fmt;

use super::guard::{LazyMmu, enter_outer};
use super::nesting::Outer;
use crate::protocol::backend::{Backend, Global, Machine as _};
use crate::protocol::bits::{Bits, Storage};
use crate::protocol::event::Event;
use crate::protocol::raw;
use crate::protocol::token::BoundToThread;

/// The handle of the current task: one per thread. `enter` returns a guard that you own.
///
/// While a section of the handle lives, the handle is borrowed. So there is no second section of
/// it, and a function that may sleep, and therefore asks for `&mut Task`, cannot be called inside
/// the section.
///
/// The thread's bits say whether the handle's section began the mode. If its guard is forgotten
/// ([`core::mem::forget`]), the mode stays on, and what is pending stays pending, until the handle
/// is used next or dropped: the handle then leaves in the guard's place.
///
/// Do not hold a section across an `.await`: stores of another future that runs on the thread
/// meanwhile would be deferred into it.
pub struct Task<B: Backend = Global> {
    bits: B::Storage,
    _thread: BoundToThread,
}

impl<B: Backend> Task<B> {
    /// The handle of the thread that calls.
    ///
    /// # Safety
    ///
    /// * This is called by a thread for itself, never in an interrupt or exception handler; and the
    ///   handle is not used by a handler that interrupts the thread.
    /// * The thread has no other handle as long as this one lives, of this backend or of another
    ///   with the same bits.
    /// * The handle is dropped, not forgotten, before its thread ends, or no section of it is ever
    ///   forgotten.
    ///
    /// # Panics
    ///
    /// Before the first task exists, if the backend can tell
    /// ([`MaybeNull`](crate::aarch64::MaybeNull)). With the hosted backend [`sim`](crate#features),
    /// if the task has a handle already.
    #[inline]
    pub unsafe fn current() -> Self {
        let bits = B::current();
        // The inert bits are clear, except those of a mode that is switched off.
        assert!(
            bits != Storage::inert() || bits.load() != Bits::EMPTY,
            "there is no task yet, so there is no handle of one"
        );
        B::Machine::observe(Event::HandleMade(bits.address()));
        Self {
            bits,
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
        enter_outer(self.bits)
    }

    /// Checks that this thread is in no section, has nothing pending, and is not paused: for the
    /// places where a kernel must not be in one (the end of a task, the return to user space). If a
    /// guard of this handle was forgotten, and its section began the mode, that is left first. With
    /// [`Eager`](crate::Eager) every thread is idle, because it has no sections.
    ///
    /// # Errors
    ///
    /// [`NotIdle`], which says what is still set.
    ///
    /// ```
    /// use lazy_mmu::Task;
    /// use lazy_mmu::sim::Sim;
    ///
    /// // SAFETY: the only handle of this thread.
    /// let mut task = unsafe { Task::<Sim>::current() };
    /// assert!(task.check_idle().is_ok());
    /// lazy_mmu::with::<Sim, _>(|_| {
    ///     let error = task.check_idle().unwrap_err();
    ///     assert_eq!(error.to_string(), "the thread is not idle: a section is open");
    /// });
    /// ```
    #[inline]
    pub fn check_idle(&mut self) -> Result<(), NotIdle> {
        leave_forgotten::<B>(self.bits);
        check_idle_at::<B>(self.bits)
    }
}

/// Out of line: it is rare.
#[inline(never)]
fn leave_forgotten<B: Backend>(bits: B::Storage) {
    raw::leave_forgotten::<B>(bits);
}

/// [`Task::check_idle`] for code that has no handle: the exit path of a task, say, when everything
/// that had one is gone.
///
/// In an interrupt it tells of the interrupted thread.
///
/// # Errors
///
/// [`NotIdle`], which says what is still set.
#[inline]
pub fn check_idle<B: Backend>() -> Result<(), NotIdle> {
    check_idle_at::<B>(B::current())
}

#[inline]
fn check_idle_at<B: Backend>(bits: B::Storage) -> Result<(), NotIdle> {
    let now = bits.load();
    // With `Eager` a thread has the inert bits: it is in no section and has nothing pending.
    if now == Bits::EMPTY || bits == B::Storage::inert() {
        Ok(())
    } else {
        Err(NotIdle { bits: now })
    }
}

/// A thread is in a section, has something pending, or is paused, where it must not be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotIdle {
    bits: Bits,
}

impl NotIdle {
    /// The bits that are set.
    pub fn bits(&self) -> Bits {
        self.bits
    }
}

impl fmt::Display for NotIdle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the thread is not idle")?;
        let mut separator = ": ";
        for (bit, text) in [
            (Bits::ACTIVE, "a section is open"),
            (Bits::PENDING, "a barrier pair is pending"),
            (Bits::PAUSED, "the mode is paused"),
        ] {
            if self.bits.contains(bit) {
                write!(f, "{separator}{text}")?;
                separator = ", ";
            }
        }
        Ok(())
    }
}

impl core::error::Error for NotIdle {}

impl<B: Backend> Drop for Task<B> {
    #[inline]
    fn drop(&mut self) {
        leave_forgotten::<B>(self.bits);
        B::Machine::observe(Event::HandleDropped(self.bits.address()));
    }
}

impl<B: Backend> fmt::Debug for Task<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("bits", &self.bits.load())
            .finish_non_exhaustive()
    }
}
