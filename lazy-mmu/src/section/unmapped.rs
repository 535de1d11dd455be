//! The value of a removed mapping, locked until the invalidation.
//!
//! Separate from `invalidate`, because here the types enforce the order: entry, then TLBs, then
//! reuse. The operations of the architecture that remove entries make these values.

use core::fmt;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;

use super::guard::LazyMmu;
use super::invalidate::invalidate_here;
use super::nesting::Nesting;
use crate::protocol::backend::{Backend, Global};
use crate::protocol::range::{Invalidation, Scope, VirtualRange};
use crate::protocol::token::BoundToThread;

/// The value of a removed mapping, locked until its translations have been removed from the TLBs.
///
/// [`unmap`](crate::aarch64::unmap) and its siblings lock the old entry in an `Unmapped`.
/// [`withhold`](Self::withhold) locks any value. [`invalidate`](Self::invalidate) removes the range
/// from the TLBs and returns the value:
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::aarch64::Granule;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
///
/// type Mmu = lazy_mmu::sim::Sim;
///
/// let page = |address| AtomicU64::new(Leaf::page(address, KERNEL_DATA).0);
/// let table = [page(0x4000_0000), page(0x4000_1000)];
/// let first = Granule::Kib4.range(0xffff_8000_0000_0000, 1)?;
/// let second = Granule::Kib4.range(0xffff_8000_0000_1000, 1)?;
///
/// let (one, two) = lazy_mmu::with::<Mmu, _>(|mmu| {
///     let one = mmu.unmap(&table[0], first);
///     let two = mmu.unmap(&table[1], second);
///     one.and(two).invalidate(mmu) // One invalidation for both.
/// });
/// // The frames can be used again.
/// assert_eq!(Leaf(one).address(Granule::Kib4), 0x4000_0000);
/// assert_eq!(Leaf(two).address(Granule::Kib4), 0x4000_1000);
/// # Ok::<(), lazy_mmu::BadRange>(())
/// ```
///
/// * [`and`](Self::and) joins two values, and a [`Gather`](crate::Gather) holds any number of them.
/// * Dropping an `Unmapped` invalidates the range, and drops the value after that.
/// * Forgetting an `Unmapped` leaks the value, and the TLBs keep the mapping.
/// * An `Unmapped` covers the TLBs only. Other readers of the tables, for example a software walker
///   or a dump, may still hold the old entry or the table. With [`map`](Self::map), the value can
///   wait for these readers too.
#[must_use = "call `invalidate` to get the value back; dropping this invalidates the range and \
              discards the value"]
pub struct Unmapped<T, B: Backend = Global> {
    invalidation: Invalidation,
    value: ManuallyDrop<T>,
    backend: PhantomData<B>,
    _thread: BoundToThread,
}

impl<T, B: Backend> Unmapped<T, B> {
    /// Locks `value` until the entries of `scope` that translate `range` have been removed from the
    /// TLBs.
    ///
    /// Use it for a mapping that other code has removed before this call.
    ///
    /// ```
    /// use lazy_mmu::aarch64::Granule;
    /// use lazy_mmu::{Scope, Unmapped};
    ///
    /// type Mmu = lazy_mmu::sim::Sim;
    ///
    /// # mod their_mapper { pub struct Frame; pub fn unmap(_: u64) -> Frame { Frame } }
    /// let page = Granule::Kib4.range(0xffff_8000_0000_0000, 1)?;
    /// let frame = their_mapper::unmap(page.start());
    /// let frame = Unmapped::<_, Mmu>::withhold(frame, page, Scope::PAGES);
    /// let frame = frame.invalidate_now();
    /// # let _ = frame;
    /// # Ok::<(), lazy_mmu::BadRange>(())
    /// ```
    #[inline]
    pub fn withhold(value: T, range: VirtualRange, scope: Scope) -> Self {
        withheld(value, Invalidation { range, scope })
    }

    /// Returns the range that the mapping translated.
    pub fn range(&self) -> VirtualRange {
        self.invalidation.range
    }

    /// Removes the range from the TLBs, and returns the value.
    ///
    /// The invalidation includes the effect of the barrier pair, so leaving `mmu` emits nothing for
    /// the earlier stores. [`Unmapped`] shows an example.
    #[inline]
    pub fn invalidate<L: Nesting>(self, mmu: &mut LazyMmu<'_, L, B>) -> T {
        mmu.invalidate_each(&[self.invalidation]);
        self.into_parts().0
    }

    /// Removes the range from the TLBs, and returns the value, for code that does not hold a guard.
    ///
    /// [`withhold`](Self::withhold) shows an example.
    #[inline]
    pub fn invalidate_now(self) -> T {
        invalidate_here::<B>(&[self.invalidation]);
        self.into_parts().0
    }

    /// Joins two values: one invalidation covers the [hull](VirtualRange::hull) of both ranges.
    ///
    /// The hull contains the addresses between the ranges. It covers all address spaces if the
    /// ranges have different ASIDs, and the whole address space if they have different page sizes.
    /// Use a [`Gather`](crate::Gather) for such ranges, for ranges that are far apart, and for more
    /// than a few ranges. [`Unmapped`] shows an example.
    pub fn and<U>(self, other: Unmapped<U, B>) -> Unmapped<(T, U), B> {
        let invalidation = self.invalidation.union(other.invalidation);
        withheld((self.into_parts().0, other.into_parts().0), invalidation)
    }

    /// Wraps the value, still locked. After the invalidation, [`AfterInvalidation::get`] applies
    /// `f`.
    ///
    /// Dropping the [`AfterInvalidation`] applies `f` too. Use `map` for a table that software
    /// walkers still read: `f` passes the table to code that waits for the walkers.
    ///
    /// ```
    /// use core::sync::atomic::AtomicU64;
    /// use lazy_mmu::aarch64::Granule;
    /// use lazy_mmu::aarch64::descriptor::Table;
    ///
    /// type Mmu = lazy_mmu::sim::Sim;
    ///
    /// /// A frame that is freed when every software walker has left the table (by RCU, say).
    /// struct Deferred(u64);
    ///
    /// let range = Granule::Kib4.range(0xffff_8000_0000_0000, 512)?;
    /// let slot = AtomicU64::new(Table::at(0x4800_0000).0);
    /// let old = lazy_mmu::with::<Mmu, _>(|mmu| {
    ///     mmu.unmap_table(&slot, range)
    ///         .map(|old| Deferred(Table(old).address(Granule::Kib4)))
    ///         .invalidate(mmu)
    /// });
    /// assert_eq!(old.get().0, 0x4800_0000);
    /// # Ok::<(), lazy_mmu::BadRange>(())
    /// ```
    pub fn map<U, F: FnOnce(T) -> U>(self, f: F) -> Unmapped<AfterInvalidation<T, F, U>, B> {
        let (value, invalidation) = self.into_parts();
        withheld(AfterInvalidation(Some((value, f))), invalidation)
    }

    /// Returns the value and its invalidation, which the caller executes.
    #[inline]
    pub(crate) fn into_parts(self) -> (T, Invalidation) {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: the value in `this` is not used again, and `this` is not dropped.
        (
            unsafe { ManuallyDrop::take(&mut this.value) },
            this.invalidation,
        )
    }
}

/// A value to which the function of [`Unmapped::map`] is applied after the invalidation.
///
/// Dropping it applies the function too, and drops the result.
///
/// ```
/// use core::cell::Cell;
/// use lazy_mmu::aarch64::Granule;
/// use lazy_mmu::{Scope, Unmapped};
///
/// type Mmu = lazy_mmu::sim::Sim;
///
/// let page = Granule::Kib4.range(0xffff_8000_0000_0000, 1)?;
/// let freed = Cell::new(0);
/// let frame = Unmapped::<_, Mmu>::withhold(0x4000_0000, page, Scope::PAGES);
/// let frame = frame.map(|frame| freed.set(frame)).invalidate_now();
/// // The TLBs have no translation of the page, but a software walker may still use the frame.
/// assert_eq!(freed.get(), 0);
/// frame.get();
/// assert_eq!(freed.get(), 0x4000_0000);
/// # Ok::<(), lazy_mmu::BadRange>(())
/// ```
pub struct AfterInvalidation<T, F: FnOnce(T) -> U, U>(Option<(T, F)>);

impl<T, F: FnOnce(T) -> U, U> AfterInvalidation<T, F, U> {
    /// Applies the function of [`Unmapped::map`] to the value, and returns the result.
    ///
    /// [`AfterInvalidation`] shows an example.
    ///
    /// # Panics
    ///
    /// Panics if the function of [`Unmapped::map`] does.
    pub fn get(mut self) -> U {
        match self.0.take() {
            Some((value, f)) => f(value),
            None => unreachable!("only `get` and `drop` take the value"),
        }
    }
}

impl<T, F: FnOnce(T) -> U, U> Drop for AfterInvalidation<T, F, U> {
    fn drop(&mut self) {
        if let Some((value, f)) = self.0.take() {
            f(value);
        }
    }
}

impl<T, F: FnOnce(T) -> U, U> fmt::Debug for AfterInvalidation<T, F, U> {
    /// Does not show the value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AfterInvalidation").finish_non_exhaustive()
    }
}

/// Locks `value` until `invalidation` has been executed.
#[inline]
fn withheld<T, B: Backend>(value: T, invalidation: Invalidation) -> Unmapped<T, B> {
    Unmapped {
        invalidation,
        value: ManuallyDrop::new(value),
        backend: PhantomData,
        _thread: BoundToThread::HERE,
    }
}

impl<T, B: Backend> Drop for Unmapped<T, B> {
    fn drop(&mut self) {
        invalidate_here::<B>(&[self.invalidation]);
        // SAFETY: the value is dropped only here, because `into_parts` prevents the drop of `self`.
        unsafe { ManuallyDrop::drop(&mut self.value) };
    }
}

impl<T, B: Backend> fmt::Debug for Unmapped<T, B> {
    /// Does not show the value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unmapped")
            .field("invalidation", &self.invalidation)
            .finish_non_exhaustive()
    }
}
