//! Pausing the mode: a stretch in which every store is followed by its pair at once, inside sections too.
//!
//! Separate from the sections because a pause has a token of its own, and because code that has no section in hand
//! can pause too.

use core::fmt;
use core::marker::PhantomData;

use crate::backend::Backend;
use crate::global::Global;
use crate::level::{Level, Root};
use crate::raw::{self, BoundToThread};
use crate::section::LazyMmu;

/// The mode is paused while this lives ([`LazyMmu::pause`]); dropping it resumes the section where it was.
///
/// What was pending has been emitted. Stores by code that has no section in hand are followed by their pair at once,
/// and sections that are opened meanwhile are [inert](raw::Kind::Inert). The paused section is borrowed and cannot be used.
///
/// Forgetting it ([`core::mem::forget`]) loses nothing: stores stay immediate until the section is left, which ends the
/// pause; if its guard is forgotten too, until the section around it is left, or the task's handle is used again.
///
/// There is no counter of pauses: the one that began first ends them all. It normally ends last; but a pause that is moved
/// into another one which began later, and dropped there, ends both, and so does a forgotten one that is ended there.
#[must_use = "a pause lasts as long as its guard: bind it to a name (`let _ = ..` resumes at once)"]
pub struct Paused<'a, B: Backend = Global> {
    bits: B::Storage,
    /// The outermost pause, whose end reactivates, is [`Outer`](raw::Kind::Outer).
    kind: raw::Kind,
    /// Where that is remembered, in case this is forgotten.
    memory: Option<&'a mut Root>,
    brand: PhantomData<fn(&'a ()) -> &'a ()>,
    _thread: BoundToThread,
}

impl<L: Level, B: Backend> LazyMmu<'_, L, B> {
    /// Pauses the mode until the guard is dropped: emits what is pending, and then every store at once.
    ///
    /// For a stretch of code inside the section whose mappings are used at once, by code that cannot be given the
    /// section to flush.
    ///
    /// ```
    /// use core::sync::atomic::AtomicU64;
    /// use lazy_mmu::descriptor::{KERNEL_DATA, Leaf};
    /// use lazy_mmu::sim::{Sim, is_settled};
    ///
    /// let [one, two] = [const { AtomicU64::new(0) }; 2];
    /// lazy_mmu::with::<Sim, _>(|mmu| {
    ///     let pause = mmu.pause();
    ///     lazy_mmu::write::<Sim, _>(&one, Leaf::page(0x4000_0000, KERNEL_DATA));
    ///     assert!(is_settled(&one));
    ///     drop(pause);
    ///     mmu.write(&two, Leaf::page(0x4000_1000, KERNEL_DATA));
    ///     assert!(!is_settled(&two));
    /// });
    /// ```
    #[inline]
    pub fn pause(&mut self) -> Paused<'_, B> {
        let (bits, root) = self.pause_parts();
        // An inert section may stand in an interrupt, whose pause must not touch the thread's bits; or it was entered
        // while the mode was paused, and that pause may have ended.
        let (bits, in_interrupt) = match bits {
            Some(bits) => (bits, false),
            None => B::context(),
        };
        open_pause::<B>(bits, in_interrupt, root)
    }

    /// Runs `f` with the mode paused, and resumes when it returns or panics. See [`pause`](Self::pause).
    #[inline]
    pub fn paused<R>(&mut self, f: impl FnOnce() -> R) -> R {
        let _pause = self.pause();
        f()
    }
}

/// Runs `f` with the mode paused, and resumes when it returns or panics; for code that has no section in hand.
///
/// It may be called anywhere: inside a section, whose pending pair is emitted first; inside another pause, which goes on
/// afterwards; outside any section; and in an interrupt, where it changes nothing, for stores are immediate there anyway. (A
/// context that only counts as an interrupt, softirqs disabled say, is no exception: a section that the thread has in
/// hand from before still defers.)
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::descriptor::{KERNEL_DATA, Leaf};
/// use lazy_mmu::sim::{Sim, is_settled};
///
/// /// Maps one page, and uses it at once, whoever calls.
/// fn map_and_use(slot: &AtomicU64) {
///     lazy_mmu::paused::<Sim, _>(|| {
///         lazy_mmu::write::<Sim, _>(slot, Leaf::page(0x4000_0000, KERNEL_DATA));
///         assert!(is_settled(slot));
///     });
/// }
///
/// let slot = AtomicU64::new(0);
/// map_and_use(&slot);
/// lazy_mmu::with::<Sim, _>(|_| map_and_use(&slot));
/// ```
#[inline]
pub fn paused<B: Backend, R>(f: impl FnOnce() -> R) -> R {
    let _pause = pause::<B>();
    f()
}

/// The guard of a [`paused`] body, for the attribute, whose user cannot name it.
#[doc(hidden)]
#[inline]
pub fn pause<'a, B: Backend>() -> Paused<'a, B> {
    let (bits, in_interrupt) = B::context();
    open_pause::<B>(bits, in_interrupt, None)
}

/// Pauses, and notes it in `memory` if the pause is the outermost.
#[inline]
fn open_pause<B: Backend>(
    bits: B::Storage,
    in_interrupt: bool,
    mut memory: Option<&mut Root>,
) -> Paused<'_, B> {
    let kind = raw::pause_at::<B>(bits, in_interrupt);
    if let Some(root) = memory.as_deref_mut().filter(|_| kind == raw::Kind::Outer) {
        root.pause();
    }
    Paused {
        bits,
        kind,
        memory,
        brand: PhantomData,
        _thread: BoundToThread::HERE,
    }
}

impl<B: Backend> Drop for Paused<'_, B> {
    #[inline]
    fn drop(&mut self) {
        match (&mut self.memory, self.kind) {
            (Some(root), raw::Kind::Outer) => root.resume::<B>(self.bits),
            (_, raw::Kind::Nested) => {}
            (_, raw::Kind::Inert) => raw::settle_if_ended::<B>(),
            (None, raw::Kind::Outer) => raw::resume_at::<B>(self.bits, raw::Kind::Outer),
        }
    }
}

impl<B: Backend> fmt::Debug for Paused<'_, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Paused")
            .field("outermost", &(self.kind == raw::Kind::Outer))
            .finish_non_exhaustive()
    }
}
