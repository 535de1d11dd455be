//! Taking mappings away: what was mapped can be had back only after its invalidation; break-before-make.
//!
//! Separate from `tlb` because here the order is in the types: entry, then TLBs, then reuse.

use core::fmt;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::sync::atomic::AtomicU64;

use crate::backend::Backend;
use crate::descriptor::Descriptor;
use crate::global::Global;
use crate::level::Level;
use crate::raw::BoundToThread;
use crate::section::LazyMmu;
use crate::tlb::{self, Scope, VirtualRange};
use crate::update;

/// What was mapped by entries that have been cleared: good for reuse only when no TLB knows it any more.
///
/// Made by [`LazyMmu::unmap`] and [`LazyMmu::unmap_range`]. The value (the frames, say) comes out of
/// [`invalidate`](Self::invalidate), which removes the range from the TLBs first. Several can be [joined](Self::and), so
/// that one sequence does for all. One that is dropped is invalidated then, and its value dropped after that.
#[must_use = "what was mapped is to be had back by `invalidate`; dropped, it is invalidated too, and lost"]
pub struct Unmapped<T, B: Backend = Global> {
    range: VirtualRange,
    scope: Scope,
    value: ManuallyDrop<T>,
    backend: PhantomData<B>,
    _thread: BoundToThread,
}

impl<T, B: Backend> Unmapped<T, B> {
    /// The addresses at which it was mapped.
    pub fn range(&self) -> VirtualRange {
        self.range
    }

    /// Removes the range from every TLB, and gives what was mapped there. What `mmu` has pending is settled by it.
    #[inline]
    pub fn invalidate<L: Level>(self, mmu: &mut LazyMmu<'_, L, B>) -> T {
        mmu.flush_tlb(self.range, self.scope);
        self.into_value()
    }

    /// [`invalidate`](Self::invalidate) for code that has no section in hand.
    #[inline]
    pub fn invalidate_now(self) -> T {
        tlb::flush::<B>(self.range, self.scope);
        self.into_value()
    }

    /// Both together: one invalidation for the smallest range that has both.
    ///
    /// # Panics
    ///
    /// If they are of different granules.
    pub fn and<U>(self, other: Unmapped<U, B>) -> Unmapped<(T, U), B> {
        let range = self.range.hull(other.range);
        let scope = if self.scope == other.scope {
            self.scope
        } else {
            Scope::AllLevels
        };
        unmapped(range, scope, (self.into_value(), other.into_value()))
    }

    /// The value, without the invalidation.
    #[inline]
    fn into_value(self) -> T {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is not used again, nor dropped.
        unsafe { ManuallyDrop::take(&mut this.value) }
    }
}

/// No associated function: rustc would suggest it to whoever forges one.
#[inline]
fn unmapped<T, B: Backend>(range: VirtualRange, scope: Scope, value: T) -> Unmapped<T, B> {
    Unmapped {
        range,
        scope,
        value: ManuallyDrop::new(value),
        backend: PhantomData,
        _thread: BoundToThread::HERE,
    }
}

impl<T, B: Backend> Drop for Unmapped<T, B> {
    fn drop(&mut self) {
        tlb::flush::<B>(self.range, self.scope);
        // SAFETY: it is dropped once, here; `into_value` forgets `self`.
        unsafe { ManuallyDrop::drop(&mut self.value) };
    }
}

impl<T, B: Backend> fmt::Debug for Unmapped<T, B> {
    /// Does not show the value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unmapped")
            .field("range", &self.range)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

impl<L: Level, B: Backend> LazyMmu<'_, L, B> {
    /// Clears the leaf in `slot`, which translates `range`; `value` makes what is to be had back of the old entry.
    ///
    /// The entry is exchanged atomically, so that what the hardware notes in it (accessed, dirty) until then is in the old
    /// value. No pair is needed, and none becomes pending.
    ///
    /// ```
    /// use core::sync::atomic::AtomicU64;
    /// use lazy_mmu::descriptor::{Granule, Leaf, UXN, VALID};
    /// use lazy_mmu::sim::Sim;
    /// use lazy_mmu::tlb::VirtualRange;
    ///
    /// let page = VirtualRange::new(Granule::Kib4, 0xffff_8000_0000_0000, 1)?;
    /// let slot = AtomicU64::new(0x4000_0000 | UXN | VALID);
    /// let frame = lazy_mmu::with::<Sim, _>(|mmu| {
    ///     let unmapped = mmu.unmap(&slot, page, |old| Leaf(old).address(Granule::Kib4));
    ///     unmapped.invalidate(mmu)
    /// });
    /// assert_eq!(frame, 0x4000_0000);
    /// # Ok::<(), lazy_mmu::tlb::BadRange>(())
    /// ```
    #[inline]
    pub fn unmap<T>(
        &mut self,
        slot: &AtomicU64,
        range: VirtualRange,
        value: impl FnOnce(u64) -> T,
    ) -> Unmapped<T, B> {
        let old = update::get_and_clear::<B>(slot);
        // If `value` panics, this is dropped, and so invalidates.
        let cleared = unmapped::<_, B>(range, Scope::LastLevel, ());
        let value = value(old);
        let () = cleared.into_value();
        unmapped(range, Scope::LastLevel, value)
    }

    /// Clears the leaves in `slots`, which together translate `range`, in order; `gather` is given `value`, the number of
    /// each and its old entry.
    ///
    /// # Panics
    ///
    /// If there are not as many pages in `range` for each of the slots; nothing was changed. And if `gather` does: the
    /// entries until then are cleared, and invalidated.
    #[inline]
    pub fn unmap_range<T>(
        &mut self,
        slots: &[AtomicU64],
        range: VirtualRange,
        value: T,
        mut gather: impl FnMut(&mut T, usize, u64),
    ) -> Unmapped<T, B> {
        let count = slots.len() as u64;
        assert!(
            range.pages().checked_rem(count).unwrap_or(range.pages()) == 0
                && range.pages() >= count,
            "{count} entries cannot translate the {} pages of the range",
            range.pages()
        );
        let mut cleared = unmapped::<_, B>(range, Scope::LastLevel, value);
        for (i, slot) in slots.iter().enumerate() {
            let old = update::get_and_clear::<B>(slot);
            gather(&mut cleared.value, i, old);
        }
        cleared
    }

    /// Takes away the table to which `slot` points, and with it all that it translates, `range`; `value` makes what is to be
    /// had back of the old entry.
    #[inline]
    pub fn unmap_table<T>(
        &mut self,
        slot: &AtomicU64,
        range: VirtualRange,
        value: impl FnOnce(u64) -> T,
    ) -> Unmapped<T, B> {
        let mut unmapped = self.unmap(slot, range, value);
        unmapped.scope = Scope::AllLevels;
        unmapped
    }

    /// Replaces the valid entry in `slot`, which translates `range`, by another valid one, as the architecture demands when
    /// the output address, the size or the memory type changes: break (the entry is cleared), invalidate, make.
    ///
    /// `make` is given the old entry, as it was when it was cleared, and makes the new one; its store is as by
    /// [`write`](Self::write). Until then every access to `range` faults, on all CPUs: the caller sees to it that there is
    /// none (Arm ARM DDI 0487, "Using break-before-make when updating translation table entries").
    ///
    /// Returns the old entry.
    ///
    /// # Panics
    ///
    /// If `make` does: the entry stays cleared.
    #[inline]
    pub fn break_before_make<D: Descriptor>(
        &mut self,
        slot: &AtomicU64,
        range: VirtualRange,
        make: impl FnOnce(u64) -> D,
    ) -> u64 {
        // All levels: either entry may be a table.
        let old = self.unmap_table(slot, range, |old| old).invalidate(self);
        let new = make(old);
        self.write(slot, new);
        old
    }
}
