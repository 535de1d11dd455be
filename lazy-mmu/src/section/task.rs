//! The task handle, from which owned sections come.

use core::fmt;

use super::guard::{LazyMmu, enter_outer};
use super::nesting::Outer;
use crate::protocol::backend::{Backend, Global, Machine as _};
use crate::protocol::bits::{Bits, Storage};
use crate::protocol::event::Event;
use crate::protocol::raw;
use crate::protocol::token::BoundToThread;

/// The handle of the current task, from which sections are entered. A thread has one handle at a
/// time.
///
/// [`enter`](Self::enter) opens a [section](LazyMmu) and returns its guard, which the caller owns:
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::Task;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
///
/// type Mmu = lazy_mmu::sim::Sim;
///
/// fn sleep(_: &mut Task<Mmu>) {}
///
/// let slot = AtomicU64::new(0);
/// // SAFETY: this is the only handle of this thread.
/// let mut task = unsafe { Task::<Mmu>::current() };
///
/// let mut mmu = task.enter();
/// mmu.write(&slot, Leaf::page(0x4000_0000, KERNEL_DATA));
/// mmu.leave();
///
/// sleep(&mut task);
/// ```
///
/// The guard borrows the handle, so the handle has one open section at most. If a function that may
/// sleep takes `&mut Task`, the compiler rejects a call of the function inside the section (E0499).
///
/// # Where a kernel keeps the handle
///
/// The state is in the bits of the thread, not in the handle. A kernel can therefore make a handle
/// at each entry from user space (a system call or a fault), pass it down by `&mut Task`, and drop
/// it before the return. It keeps nothing between two entries. A kernel thread makes its handle in
/// its first function, and keeps it there. Making a handle does not change the bits. Dropping it
/// leaves the section of a forgotten guard, and does nothing otherwise.
///
/// # Forgotten guards
///
/// The bits of the thread record whether a section of the handle began the mode. If the guard of
/// that section is forgotten ([`core::mem::forget`]), the lazy MMU mode stays on, and a pending
/// pair stays pending. The handle leaves the section when the handle is used next or dropped. If
/// the section was nested instead, the leave of the section around it emits the pair.
///
/// # Async code
///
/// Do not hold a section across an `.await`. The stores of another future that runs on the thread
/// meanwhile would be deferred into the section.
pub struct Task<B: Backend = Global> {
    bits: BoundToThread<B::Storage>,
}

impl<B: Backend> Task<B> {
    /// Returns the handle of the calling thread.
    ///
    /// [`Task`] shows an example.
    ///
    /// # Safety
    ///
    /// * A thread makes the handle for itself, never in an interrupt handler, and never in the
    ///   handler of an exception that interrupts kernel code. The code of a system call, or of a
    ///   fault in user space, is code of the thread.
    /// * A handler that interrupts the thread does not use the handle.
    /// * The thread has no other handle while this handle lives, neither of this backend nor of
    ///   another backend with the same bits.
    /// * The handle is dropped before its thread ends; or no guard of the handle is ever forgotten;
    ///   or the bits are freed with the thread, and the backend has no hooks.
    ///
    /// # Panics
    ///
    /// Panics before the first task exists, if the backend can detect that
    /// ([`MaybeNull`](crate::aarch64::MaybeNull)). The hosted backend [`sim`](crate#features) also
    /// panics if the task has a handle already.
    #[inline]
    pub unsafe fn current() -> Self {
        let bits = B::current();
        // Clear inert bits mean that no task exists yet. Where the mode is switched off (`Eager`),
        // the inert bits are not clear.
        assert!(
            bits != Storage::inert() || bits.load() != Bits::EMPTY,
            "a task handle was made before the first task exists"
        );
        B::Machine::observe(Event::HandleMade(bits.address()));
        Self {
            bits: BoundToThread(bits),
        }
    }

    /// Opens a section, which lasts until its guard is dropped or [left](LazyMmu::leave).
    ///
    /// If the handle is used inside the section of a caller, the new section is nested. If it is
    /// used during a pause, stores through the guard are immediate until the pause ends. After
    /// that, they are deferred if the mode is on, and immediate otherwise.
    ///
    /// [`Task`] shows an example.
    #[inline]
    pub fn enter(&mut self) -> LazyMmu<'_, Outer, B> {
        enter_outer(self.bits.0)
    }

    /// Checks that the thread is in no section, has no pending pair, and has not paused the mode.
    ///
    /// A kernel checks this where a thread must be idle, for example at the end of a task or before
    /// the return to user space. If a guard of this handle was forgotten, and its section began the
    /// mode, that section is left first. With [`Eager`](crate::Eager) every thread is idle, because
    /// it has no sections.
    ///
    /// ```
    /// use lazy_mmu::Task;
    ///
    /// type Mmu = lazy_mmu::sim::Sim;
    ///
    /// // SAFETY: this is the only handle of this thread.
    /// let mut task = unsafe { Task::<Mmu>::current() };
    /// assert!(task.check_idle().is_ok());
    /// lazy_mmu::with::<Mmu, _>(|_| {
    ///     let error = task.check_idle().unwrap_err();
    ///     assert_eq!(error.to_string(), "the thread is not idle: a section is open");
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// Returns [`NotIdle`], which says which bits are set.
    #[inline]
    pub fn check_idle(&mut self) -> Result<(), NotIdle> {
        leave_forgotten::<B>(self.bits.0);
        check_idle_at::<B>(self.bits.0)
    }
}

/// Leaves the section of a forgotten guard. Out of line, because it is rare.
#[inline(never)]
fn leave_forgotten<B: Backend>(bits: B::Storage) {
    raw::leave_forgotten::<B>(bits);
}

/// Checks that the current thread is in no section, has no pending pair, and has not paused the
/// mode.
///
/// This is for code that has no handle, for example the exit path of a task; see
/// [`Task::check_idle`]. It leaves no section. In interrupt context it checks the interrupted
/// thread.
///
/// ```
/// type Mmu = lazy_mmu::sim::Sim;
///
/// assert!(lazy_mmu::check_idle::<Mmu>().is_ok());
/// ```
///
/// # Errors
///
/// Returns [`NotIdle`], which says which bits are set.
#[inline]
pub fn check_idle<B: Backend>() -> Result<(), NotIdle> {
    check_idle_at::<B>(B::current())
}

#[inline]
fn check_idle_at<B: Backend>(bits: B::Storage) -> Result<(), NotIdle> {
    let now = bits.load();
    // With `Eager` a thread has the inert bits. It is in no section and has no pending pair.
    if now == Bits::EMPTY || bits == B::Storage::inert() {
        Ok(())
    } else {
        Err(NotIdle { bits: now })
    }
}

/// The error of [`check_idle`]: the thread is in a section, has a pending pair, or has paused the
/// mode.
///
/// ```
/// use lazy_mmu::{Bits, NotIdle};
///
/// type Mmu = lazy_mmu::sim::Sim;
///
/// fn end_of_task() -> Result<(), NotIdle> {
///     lazy_mmu::check_idle::<Mmu>()
/// }
///
/// lazy_mmu::with::<Mmu, _>(|mmu| {
///     mmu.note_store();
///     let error = end_of_task().unwrap_err();
///     assert!(error.bits().contains(Bits::PENDING));
///     let text = "the thread is not idle: a section is open, a barrier pair is pending";
///     assert_eq!(error.to_string(), text);
/// });
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotIdle {
    bits: Bits,
}

impl NotIdle {
    /// Returns the bits of the thread.
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
        leave_forgotten::<B>(self.bits.0);
        B::Machine::observe(Event::HandleDropped(self.bits.0.address()));
    }
}

impl<B: Backend> fmt::Debug for Task<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("bits", &self.bits.0.load())
            .finish_non_exhaustive()
    }
}
