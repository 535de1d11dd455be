//! The handle of the current task, from which owned sections come.

use core::fmt;

use crate::backend::Backend;
use crate::bits::{Bits, Storage};
use crate::global::Global;
use crate::level::{Outer, Root};
use crate::raw::BoundToThread;
use crate::section::{LazyMmu, enter_outer};

/// The handle of the current task: where a section that its user owns is entered.
///
/// While such a section lives the handle is borrowed, so there is no second one, and a function that may sleep, and
/// therefore asks for `&mut Task`, cannot be called inside it.
///
/// The handle keeps the token of its open section. If the guard was forgotten ([`core::mem::forget`]), the mode stays on
/// and what is pending stays pending until the handle is used next, or dropped: that leaves in the guard's place.
///
/// A section is not to be held across an `.await`: another future that runs on the thread meanwhile would have its stores
/// deferred into it.
pub struct Task<B: Backend = Global> {
    bits: B::Storage,
    root: Root,
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
    ///
    /// # Panics
    ///
    /// Before the first task exists, if the backend can tell
    /// ([`MaybeNull`](crate::aarch64::MaybeNull)).
    #[inline]
    pub unsafe fn current() -> Self {
        let bits = B::current();
        // Nobody's bits are clear, but for those of a mode that is switched off.
        assert!(
            bits != Storage::nobodys() || bits.load() != Bits::EMPTY,
            "there is no task yet, so there is no handle of one"
        );
        Self {
            bits,
            root: Root::default(),
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
        enter_outer(self.bits, &mut self.root)
    }

    /// Checks that this thread is in no section, has nothing pending, and is not paused: for the places where a kernel
    /// must not be in one (the end of a task, the return to user space). A forgotten guard of this handle is healed first.
    /// With [`Eager`](crate::Eager) every thread is idle, because it has no sections.
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
        self.heal();
        check_idle_at::<B>(self.bits)
    }

    /// Leaves in the place of a guard that was forgotten.
    #[inline]
    fn heal(&mut self) {
        if self.root.is_open() {
            heal::<B>(self.bits, &mut self.root);
        }
    }
}

/// Out of line: it is rare.
#[cold]
#[inline(never)]
fn heal<B: Backend>(bits: B::Storage, root: &mut Root) {
    root.leave::<B>(bits);
}

/// [`Task::check_idle`] for code that has no handle: the exit path of a task, say, when everything that had one is gone.
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
    // With `Eager` a thread's bits are nobody's: it is in no section and has nothing pending.
    if now == Bits::EMPTY || bits == B::Storage::nobodys() {
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
        self.heal();
    }
}

impl<B: Backend> fmt::Debug for Task<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("bits", &self.bits.load())
            .field("root", &self.root)
            .finish_non_exhaustive()
    }
}
