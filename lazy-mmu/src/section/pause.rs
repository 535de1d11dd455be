//! Pausing the mode: each store is followed by its pair at once, inside sections too.
//!
//! Separate from the sections, because code that does not hold a guard can pause the mode too.

use super::guard::LazyMmu;
use super::nesting::Nesting;
use crate::protocol::backend::Backend;
use crate::protocol::raw::{self, Kind};
use crate::protocol::token::BoundToThread;

impl<L: Nesting, B: Backend> LazyMmu<'_, L, B> {
    /// Runs `f` with the lazy MMU mode paused, and resumes the mode when `f` returns or panics.
    ///
    /// The pending pair is emitted first. During `f`, a store that needs the pair is followed by
    /// the pair at once, and sections that are opened are [inert](Kind::Inert). Use it for code
    /// that uses its mappings at once, and that cannot receive this section to flush it.
    ///
    /// In interrupt context, pausing an inert section changes nothing, because stores are immediate
    /// there already.
    ///
    /// ```
    /// use core::sync::atomic::AtomicU64;
    /// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
    /// use lazy_mmu::sim::is_settled;
    ///
    /// type Mmu = lazy_mmu::sim::Sim;
    ///
    /// let [one, two] = [const { AtomicU64::new(0) }; 2];
    /// lazy_mmu::with::<Mmu, _>(|mmu| {
    ///     mmu.paused(|| {
    ///         lazy_mmu::write::<Mmu, _>(&one, Leaf::page(0x4000_0000, KERNEL_DATA));
    ///         assert!(is_settled(&one)); // The pair was emitted at once.
    ///     });
    ///     mmu.write(&two, Leaf::page(0x4000_1000, KERNEL_DATA));
    ///     assert!(!is_settled(&two)); // The pair is deferred again.
    /// });
    /// ```
    #[inline]
    pub fn paused<R>(&mut self, f: impl FnOnce() -> R) -> R {
        let _pause = open::<B>(self.context());
        f()
    }
}

/// Runs `f` with the lazy MMU mode paused, and resumes the mode when `f` returns or panics.
///
/// During `f`, a store that needs the barrier pair is followed by the pair at once, and
/// [sections](LazyMmu) that are opened are [inert](Kind::Inert). This is for code that does not
/// hold a guard. A guard has [`LazyMmu::paused`]. `paused` may be called anywhere:
///
/// * Inside a section, the pending pair is emitted first.
/// * Inside another pause, the other pause continues afterwards.
/// * Outside any section, it affects the sections that `f` opens.
/// * In interrupt context, nothing changes, because stores are immediate there already.
///
/// Interrupt context is wherever [`Backend::in_interrupt`] is true, for example with softirqs
/// disabled. A section that was entered before softirqs were disabled still defers through its
/// guard. If the interrupt context ends inside `f`, an open section defers the later stores of `f`.
/// Their pair is emitted when `f` returns, unless the CPU is in interrupt context again then.
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// use lazy_mmu::sim::is_settled;
///
/// type Mmu = lazy_mmu::sim::Sim;
///
/// /// Maps one page and uses it at once, in every context.
/// fn map_and_use(slot: &AtomicU64) {
///     lazy_mmu::paused::<Mmu, _>(|| {
///         lazy_mmu::write::<Mmu, _>(slot, Leaf::page(0x4000_0000, KERNEL_DATA));
///         assert!(is_settled(slot)); // The pair was emitted at once.
///     });
/// }
///
/// let slot = AtomicU64::new(0);
/// map_and_use(&slot);
/// lazy_mmu::with::<Mmu, _>(|_| map_and_use(&slot));
/// ```
#[inline]
pub fn paused<B: Backend, R>(f: impl FnOnce() -> R) -> R {
    let _pause = pause::<B>();
    f()
}

/// Keeps the mode paused while it lives.
///
/// Users could forget a `Paused`, and a pause does not end with a section. They call [`paused()`]
/// instead.
#[derive(Debug)]
pub struct Paused<B: Backend> {
    bits: BoundToThread<B::Storage>,
    kind: Kind,
}

/// Pauses the mode for the body of an attributed function, which cannot name the result.
#[doc(hidden)]
#[inline]
pub fn pause<B: Backend>() -> Paused<B> {
    open(B::context())
}

#[inline]
fn open<B: Backend>((bits, in_interrupt): (B::Storage, bool)) -> Paused<B> {
    Paused {
        bits: BoundToThread(bits),
        kind: raw::pause_at::<B>(bits, in_interrupt),
    }
}

impl<B: Backend> Drop for Paused<B> {
    #[inline]
    fn drop(&mut self) {
        raw::resume_at::<B>(self.bits.0, self.kind);
    }
}
