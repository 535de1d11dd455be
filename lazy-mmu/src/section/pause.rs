//! Pausing the mode: a stretch in which every store is followed by its pair at once, inside
//! sections too.
//!
//! Separate from the sections because code that has no section in hand can pause too.

use super::guard::LazyMmu;
use super::nesting::Nesting;
use crate::protocol::backend::Backend;
use crate::protocol::raw::{self, Kind};
use crate::protocol::token::BoundToThread;

impl<L: Nesting, B: Backend> LazyMmu<'_, L, B> {
    /// Runs `f` with the mode paused, and resumes when it returns or panics: emits what is pending,
    /// and then every store at once.
    ///
    /// For a stretch of code inside the section whose mappings are used at once, by code that
    /// cannot be given the section to flush. Stores by code that has no section in hand are
    /// followed by their pair at once, and sections that are opened meanwhile are
    /// [inert](Kind::Inert).
    ///
    /// In an interrupt it changes nothing, as [`paused()`] of the crate.
    ///
    /// ```
    /// use core::sync::atomic::AtomicU64;
    /// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
    /// use lazy_mmu::sim::{Sim, is_settled};
    ///
    /// let [one, two] = [const { AtomicU64::new(0) }; 2];
    /// lazy_mmu::with::<Sim, _>(|mmu| {
    ///     mmu.paused(|| {
    ///         lazy_mmu::write::<Sim, _>(&one, Leaf::page(0x4000_0000, KERNEL_DATA));
    ///         assert!(is_settled(&one));
    ///     });
    ///     mmu.write(&two, Leaf::page(0x4000_1000, KERNEL_DATA));
    ///     assert!(!is_settled(&two));
    /// });
    /// ```
    #[inline]
    pub fn paused<R>(&mut self, f: impl FnOnce() -> R) -> R {
        let _pause = open::<B>(self.context());
        f()
    }
}

/// Runs `f` with the mode paused, and resumes when it returns or panics; for code that has no
/// section in hand.
///
/// It may be called anywhere: inside a section, whose pending pair is emitted first; inside another
/// pause, which goes on afterwards; outside any section; and in an interrupt, where it changes
/// nothing, for stores are immediate there anyway. (A context that only counts as an interrupt,
/// softirqs disabled say, is no exception: a section that the thread has in hand from before still
/// defers. If the context ceases to count as one inside `f`, stores are deferred from then on,
/// until `f` returns.)
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
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

/// The mode is paused while this lives. Not for users, who could forget it: no leave ends a pause.
#[derive(Debug)]
pub struct Paused<B: Backend> {
    bits: B::Storage,
    kind: Kind,
    _thread: BoundToThread,
}

/// That of a [`paused`] body, for the attribute, whose user cannot name it.
#[doc(hidden)]
#[inline]
pub fn pause<B: Backend>() -> Paused<B> {
    open(B::context())
}

#[inline]
fn open<B: Backend>((bits, in_interrupt): (B::Storage, bool)) -> Paused<B> {
    Paused {
        bits,
        kind: raw::pause_at::<B>(bits, in_interrupt),
        _thread: BoundToThread::HERE,
    }
}

impl<B: Backend> Drop for Paused<B> {
    #[inline]
    fn drop(&mut self) {
        raw::resume_at::<B>(self.bits, self.kind);
    }
}
