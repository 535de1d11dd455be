//! The value of a mapping that was taken away, locked until its invalidation.
//!
//! Separate from `invalidate` because here the order is in the types: entry, then TLBs, then reuse.
//! The architecture's operations that take entries away make these values.

use core::fmt;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;

use super::guard::LazyMmu;
use super::invalidate::invalidate_here;
use super::nesting::Nesting;
use crate::protocol::backend::{Backend, Global};
use crate::protocol::range::{Invalidation, Scope, VirtualRange};
use crate::protocol::token::BoundToThread;

/// The value of a mapping that was taken away: locked until no TLB has the mapping any more.
///
/// [`unmap`](crate::aarch64::unmap) and its siblings make one of the old entry, and
/// [`withhold`](Self::withhold) of any value. Call [`invalidate`](Self::invalidate) to remove the
/// range from the TLBs and get the value. Two can be [joined](Self::and), so that one sequence does
/// for both; a [`Gather`](crate::Gather) holds any number. Dropping one invalidates the range, and
/// drops the value after that. Forgetting one leaks the value, and the TLBs keep the mapping.
///
/// The invalidation covers the TLBs. Other readers of the tables (a software walker, a dump) may
/// still hold the old entry or the table: [`map`](Self::map) wraps the value in a type that waits
/// for them too.
#[must_use = "call `invalidate` to get the value back; dropping this invalidates the range and discards the value"]
pub struct Unmapped<T, B: Backend = Global> {
    invalidation: Invalidation,
    value: ManuallyDrop<T>,
    backend: PhantomData<B>,
    _thread: BoundToThread,
}

impl<T, B: Backend> Unmapped<T, B> {
    /// Withholds `value` until the entries of `scope` that translate `range` have been removed from
    /// the TLBs: for a mapping that other code has taken away before this call.
    ///
    /// ```
    /// use lazy_mmu::aarch64::Granule;
    /// use lazy_mmu::sim::Sim;
    /// use lazy_mmu::{Scope, Unmapped};
    ///
    /// # mod their_mapper { pub struct Frame; pub fn unmap(_: u64) -> Frame { Frame } }
    /// let page = Granule::Kib4.range(0xffff_8000_0000_0000, 1)?;
    /// let frame = their_mapper::unmap(page.start());
    /// let frame = Unmapped::<_, Sim>::withhold(frame, page, Scope::PAGES);
    /// let frame = frame.invalidate_now();
    /// # let _ = frame;
    /// # Ok::<(), lazy_mmu::BadRange>(())
    /// ```
    #[inline]
    pub fn withhold(value: T, range: VirtualRange, scope: Scope) -> Self {
        withheld(value, Invalidation { range, scope })
    }

    /// The addresses at which it was mapped.
    pub fn range(&self) -> VirtualRange {
        self.invalidation.range
    }

    /// Removes the range from the TLBs, and returns the value. The invalidation also settles the
    /// pair that `mmu` has pending.
    #[inline]
    pub fn invalidate<L: Nesting>(self, mmu: &mut LazyMmu<'_, L, B>) -> T {
        mmu.invalidate_each(&[self.invalidation]);
        self.into_parts().0
    }

    /// [`invalidate`](Self::invalidate) without a section in hand.
    #[inline]
    pub fn invalidate_now(self) -> T {
        invalidate_here::<B>(&[self.invalidation]);
        self.into_parts().0
    }

    /// Both together: one invalidation for the smallest range that has both. For ranges that are
    /// far apart, and for more than a few, use a [`Gather`](crate::Gather).
    pub fn and<U>(self, other: Unmapped<U, B>) -> Unmapped<(T, U), B> {
        let invalidation = self.invalidation.union(other.invalidation);
        withheld((self.into_parts().0, other.into_parts().0), invalidation)
    }

    /// Changes the value by `f`, once it has been invalidated: [`AfterInvalidation::get`] calls
    /// `f`, and so does a drop.
    ///
    /// For a table that its readers by software must not lose yet: `f` hands it to whatever waits
    /// for them.
    ///
    /// ```
    /// use core::sync::atomic::AtomicU64;
    /// use lazy_mmu::aarch64::Granule;
    /// use lazy_mmu::aarch64::descriptor::Table;
    /// use lazy_mmu::sim::Sim;
    ///
    /// /// A frame that its drop gives back, once every software walker has gone on (RCU, say).
    /// struct Deferred(u64);
    ///
    /// let range = Granule::Kib4.range(0xffff_8000_0000_0000, 512)?;
    /// let slot = AtomicU64::new(Table::at(0x4800_0000).0);
    /// let old = lazy_mmu::with::<Sim, _>(|mmu| {
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

    /// The value, without the invalidation, which is the caller's.
    #[inline]
    pub(crate) fn into_parts(self) -> (T, Invalidation) {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is not used again, nor dropped.
        (
            unsafe { ManuallyDrop::take(&mut this.value) },
            this.invalidation,
        )
    }
}

/// A value that [`Unmapped::map`] changes after the invalidation.
///
/// Its drop changes the value too, and drops the result.
pub struct AfterInvalidation<T, F: FnOnce(T) -> U, U>(Option<(T, F)>);

impl<T, F: FnOnce(T) -> U, U> AfterInvalidation<T, F, U> {
    /// The changed value.
    ///
    /// # Panics
    ///
    /// If the function does.
    pub fn get(mut self) -> U {
        match self.0.take() {
            Some((value, f)) => f(value),
            None => unreachable!("it is there until `get` or the drop"),
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

/// `value`, until `invalidation` has been executed.
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
        // SAFETY: it is dropped once, here; `into_parts` forgets `self`.
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
