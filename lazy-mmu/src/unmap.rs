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
/// Made by [`LazyMmu::unmap`] and its like. The value (the old entries, and so the frames) comes out of
/// [`invalidate`](Self::invalidate), which removes the range from the TLBs first. Several can be [joined](Self::and), so
/// that one sequence does for all. One that is dropped is invalidated then, and its value dropped after that; one that is
/// forgotten never, and its value is not to be had either.
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

/// Checks that `slots` entries can translate `range` together.
///
/// # Panics
///
/// If they cannot.
fn check_shape(slots: usize, range: VirtualRange) {
    let granule = range.granule();
    let slots = slots as u64;
    let mut level = granule.first_level();
    let mut fits = slots == 0 && range.pages() == 0;
    while let Some(size) = granule.entry_size(level) {
        fits |= slots > 0
            && slots.checked_mul(size >> granule.page_shift()) == Some(range.pages())
            && range.start() & (size - 1) == 0;
        level += 1;
    }
    assert!(
        fits,
        "{slots} entries of one level cannot translate the {} pages from {:#x} on",
        range.pages(),
        range.start()
    );
}

impl<L: Level, B: Backend> LazyMmu<'_, L, B> {
    /// Clears the leaf in `slot`, which translates `range`. What is to be had back is the old entry.
    ///
    /// The entry is exchanged atomically, so that what the hardware notes in it (accessed, dirty) until then is in the old
    /// value. No pair is needed, and none becomes pending.
    ///
    /// Until the invalidation the address belongs to the old mapping too: do not make another one in `slot` before it. Nothing
    /// checks that.
    ///
    /// ```
    /// use core::sync::atomic::AtomicU64;
    /// use lazy_mmu::descriptor::{Granule, Leaf, UXN, VALID};
    /// use lazy_mmu::sim::Sim;
    /// use lazy_mmu::tlb::VirtualRange;
    ///
    /// let page = VirtualRange::new(Granule::Kib4, 0xffff_8000_0000_0000, 1)?;
    /// let slot = AtomicU64::new(0x4000_0000 | UXN | VALID);
    /// let old = lazy_mmu::with::<Sim, _>(|mmu| mmu.unmap(&slot, page).invalidate(mmu));
    /// assert_eq!(Leaf(old).address(Granule::Kib4), 0x4000_0000);
    /// # Ok::<(), lazy_mmu::tlb::BadRange>(())
    /// ```
    ///
    /// # Panics
    ///
    /// If no entry at any level translates `range`; nothing was changed.
    #[inline]
    pub fn unmap(&mut self, slot: &AtomicU64, range: VirtualRange) -> Unmapped<u64, B> {
        check_shape(1, range);
        unmapped(range, Scope::LastLevel, update::get_and_clear::<B>(slot))
    }

    /// Takes away the table to which `slot` points, and with it all that it translates, `range`. What is to be had back is
    /// the old entry.
    ///
    /// # Panics
    ///
    /// As [`unmap`](Self::unmap).
    #[inline]
    pub fn unmap_table(&mut self, slot: &AtomicU64, range: VirtualRange) -> Unmapped<u64, B> {
        check_shape(1, range);
        unmapped(range, Scope::AllLevels, update::get_and_clear::<B>(slot))
    }

    /// Clears the leaves in `slots`, which together translate `range`. Nothing is to be had back.
    ///
    /// # Panics
    ///
    /// If so many entries do not translate `range` at any level; nothing was changed.
    #[inline]
    pub fn unmap_range(&mut self, slots: &[AtomicU64], range: VirtualRange) -> Unmapped<(), B> {
        check_shape(slots.len(), range);
        for slot in slots {
            update::get_and_clear::<B>(slot);
        }
        unmapped(range, Scope::LastLevel, ())
    }

    /// Clears the leaves in `slots`, which together translate `range`. What is to be had back is `buffer`, with the old
    /// entries in it, in order.
    ///
    /// The buffer is owned (an array, a `Vec`, a `&'static mut [u64]`): forgotten, what was unmapped takes it with it.
    ///
    /// # Panics
    ///
    /// As [`unmap_range`](Self::unmap_range), and if the buffer is shorter than `slots`.
    #[inline]
    pub fn unmap_range_into<T: AsMut<[u64]> + 'static>(
        &mut self,
        slots: &[AtomicU64],
        range: VirtualRange,
        mut buffer: T,
    ) -> Unmapped<T, B> {
        check_shape(slots.len(), range);
        let entries = buffer.as_mut();
        assert!(
            entries.len() >= slots.len(),
            "a buffer of {} for {} entries",
            entries.len(),
            slots.len()
        );
        for (slot, entry) in slots.iter().zip(entries) {
            *entry = update::get_and_clear::<B>(slot);
        }
        unmapped(range, Scope::LastLevel, buffer)
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
    /// As [`unmap`](Self::unmap). If `make` does, the entry stays cleared.
    #[inline]
    pub fn break_before_make<D: Descriptor>(
        &mut self,
        slot: &AtomicU64,
        range: VirtualRange,
        make: impl FnOnce(u64) -> D,
    ) -> u64 {
        // All levels: either entry may be a table.
        let old = self.unmap_table(slot, range).invalidate(self);
        let new = make(old);
        self.write(slot, new);
        old
    }
}
