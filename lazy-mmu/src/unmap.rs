//! Taking mappings away: what was mapped can be had back only after its invalidation; break-before-make.
//!
//! Separate from `tlb` because here the order is in the types: entry, then TLBs, then reuse.

use core::fmt;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::slice;
use core::sync::atomic::AtomicU64;

use crate::backend::Backend;
use crate::contiguous;
use crate::descriptor::{CONTIGUOUS, Descriptor, PAGE_LEVEL, TABLE_OR_PAGE, VALID};
use crate::global::Global;
use crate::nesting::Nesting;
use crate::raw::BoundToThread;
use crate::section::LazyMmu;
use crate::tlb::{self, Scope, VirtualRange};
use crate::update;

/// The value of a mapping that was taken away: locked until no TLB knows the mapping any more.
///
/// Made by [`LazyMmu::unmap`] and its like. Call [`invalidate`](Self::invalidate) to remove the
/// range from the TLBs and get the value (the old entries, and so the frames). Several can be
/// [joined](Self::and), so that one sequence does for all. Dropping one invalidates the range, and
/// drops the value after that. Forgetting one leaks the value, and the TLBs keep the mapping.
///
/// The invalidation covers the TLBs. Other readers of the tables (a software walker, a dump) may
/// still hold the old entry or the table: [`map`](Self::map) wraps the value in a type that waits
/// for them too.
#[must_use = "call `invalidate` to get the value back; dropping this invalidates the range and discards the value"]
pub struct Unmapped<T, B: Backend = Global> {
    range: VirtualRange,
    /// The level of the leaves that translated the range.
    level: u8,
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

    /// Removes the range from every TLB, and returns the value. The invalidation also completes
    /// what `mmu` has pending.
    #[inline]
    pub fn invalidate<L: Nesting>(self, mmu: &mut LazyMmu<'_, L, B>) -> T {
        mmu.flush_tlb(self.range, self.level, self.scope);
        self.into_value()
    }

    /// [`invalidate`](Self::invalidate) for code that has no section in hand.
    #[inline]
    pub fn invalidate_now(self) -> T {
        tlb::flush::<B>(self.range, self.level, self.scope);
        self.into_value()
    }

    /// Both together: one invalidation for the smallest range that has both.
    ///
    /// # Panics
    ///
    /// If they are of different granules.
    pub fn and<U>(self, other: Unmapped<U, B>) -> Unmapped<(T, U), B> {
        let range = self.range.hull(other.range);
        let (level, scope) = if self.range.pages() == 0 {
            (other.level, other.scope)
        } else if other.range.pages() == 0 {
            (self.level, self.scope)
        } else if self.scope == other.scope {
            // The smaller entries: those of the lower level, which has the higher number.
            (self.level.max(other.level), self.scope)
        } else {
            (PAGE_LEVEL, Scope::AllLevels)
        };
        unmapped(range, level, scope, (self.into_value(), other.into_value()))
    }

    /// Changes the value by `f`, once it has been invalidated: [`AfterInvalidation::get`] calls
    /// `f`, and so does a drop.
    ///
    /// For a table that its readers by software must not lose yet: `f` hands it to whatever waits
    /// for them.
    ///
    /// ```
    /// use core::sync::atomic::AtomicU64;
    /// use lazy_mmu::descriptor::{Granule, Table};
    /// use lazy_mmu::sim::Sim;
    /// use lazy_mmu::tlb::VirtualRange;
    ///
    /// /// A frame that its drop gives back, once every software walker has gone on (RCU, say).
    /// struct Deferred(u64);
    ///
    /// let range = VirtualRange::new(Granule::Kib4, 0xffff_8000_0000_0000, 512)?;
    /// let slot = AtomicU64::new(Table::at(0x4800_0000).0);
    /// let old = lazy_mmu::with::<Sim, _>(|mmu| {
    ///     mmu.unmap_table(&slot, range)
    ///         .map(|old| Deferred(Table(old).address(Granule::Kib4)))
    ///         .invalidate(mmu)
    /// });
    /// assert_eq!(old.get().0, 0x4800_0000);
    /// # Ok::<(), lazy_mmu::tlb::BadRange>(())
    /// ```
    pub fn map<U, F: FnOnce(T) -> U>(self, f: F) -> Unmapped<AfterInvalidation<T, F, U>, B> {
        let (range, level, scope) = (self.range, self.level, self.scope);
        let value = AfterInvalidation(Some((self.into_value(), f)));
        unmapped(range, level, scope, value)
    }

    /// The value, without the invalidation.
    #[inline]
    fn into_value(self) -> T {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is not used again, nor dropped.
        unsafe { ManuallyDrop::take(&mut this.value) }
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

/// No associated function: rustc would suggest it to whoever forges one.
#[inline]
fn unmapped<T, B: Backend>(
    range: VirtualRange,
    level: u8,
    scope: Scope,
    value: T,
) -> Unmapped<T, B> {
    Unmapped {
        range,
        level,
        scope,
        value: ManuallyDrop::new(value),
        backend: PhantomData,
        _thread: BoundToThread::HERE,
    }
}

impl<T, B: Backend> Drop for Unmapped<T, B> {
    fn drop(&mut self) {
        tlb::flush::<B>(self.range, self.level, self.scope);
        // SAFETY: it is dropped once, here; `into_value` forgets `self`.
        unsafe { ManuallyDrop::drop(&mut self.value) };
    }
}

impl<T, B: Backend> fmt::Debug for Unmapped<T, B> {
    /// Does not show the value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unmapped")
            .field("range", &self.range)
            .field("level", &self.level)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

/// The level at which `slots` can translate `range` together, without a part of a contiguous group.
///
/// # Panics
///
/// If there is none.
fn check_shape(slots: &[AtomicU64], range: VirtualRange) -> u8 {
    let granule = range.granule();
    let number = slots.len() as u64;
    let fits = |level: &u8| {
        granule.entry_size(*level).is_some_and(|size| {
            number.checked_mul(size >> granule.page_shift()) == Some(range.pages())
                && range.start() & (size - 1) == 0
        })
    };
    // The lowest one, for no entries and an empty range fit everywhere.
    let Some(level) = (granule.first_level()..=PAGE_LEVEL).rev().find(fits) else {
        panic!(
            "{number} entries of one level cannot translate the {} pages from {:#x} on",
            range.pages(),
            range.start()
        );
    };
    contiguous::refuse_cut(slots, range, level, VALID | CONTIGUOUS);
    level
}

/// Clears `slots`, which translate `range`, and gives each old entry to `keep`, in order. Returns
/// their level, and what the TLBs must forget.
///
/// # Panics
///
/// As [`check_shape`], before anything is changed.
#[inline]
fn clear<B: Backend>(
    slots: &[AtomicU64],
    range: VirtualRange,
    mut keep: impl FnMut(u64),
) -> (u8, Scope) {
    let level = check_shape(slots, range);
    let mut scope = Scope::LastLevel;
    for slot in slots {
        let old = update::clear::<B>(slot);
        if level < PAGE_LEVEL && old & (VALID | TABLE_OR_PAGE) == VALID | TABLE_OR_PAGE {
            // Walks have cached a table entry, and the leaves below it.
            scope = Scope::AllLevels;
        }
        keep(old);
    }
    (level, scope)
}

impl<L: Nesting, B: Backend> LazyMmu<'_, L, B> {
    /// Clears the entry in `slot`, which translates `range`. The value is the old entry.
    ///
    /// The entry is exchanged atomically, so that what the hardware notes in it (accessed, dirty)
    /// until then is in the old value. No pair is needed, and none becomes pending. The
    /// invalidation is that of the old entry: one instruction for a page or block; all levels and
    /// every page for a table.
    ///
    /// Until the invalidation the address belongs to the old mapping too: do not make another one in `slot` before it. Nothing
    /// checks that.
    ///
    /// ```
    /// use core::sync::atomic::AtomicU64;
    /// use lazy_mmu::descriptor::{Granule, KERNEL_DATA, Leaf};
    /// use lazy_mmu::sim::Sim;
    /// use lazy_mmu::tlb::VirtualRange;
    ///
    /// let page = VirtualRange::new(Granule::Kib4, 0xffff_8000_0000_0000, 1)?;
    /// let slot = AtomicU64::new(Leaf::page(0x4000_0000, KERNEL_DATA).0);
    /// let old = lazy_mmu::with::<Sim, _>(|mmu| mmu.unmap(&slot, page).invalidate(mmu));
    /// assert_eq!(Leaf(old).address(Granule::Kib4), 0x4000_0000);
    /// # Ok::<(), lazy_mmu::tlb::BadRange>(())
    /// ```
    ///
    /// # Panics
    ///
    /// If no entry at any level translates `range`, or if the entry is in a [contiguous
    /// group](crate::contiguous); nothing was changed.
    #[inline]
    pub fn unmap(&mut self, slot: &AtomicU64, range: VirtualRange) -> Unmapped<u64, B> {
        let mut old = 0;
        let (level, scope) = clear::<B>(slice::from_ref(slot), range, |it| old = it);
        unmapped(range, level, scope, old)
    }

    /// Takes away the table to which `slot` points, and with it all that it translates, `range`.
    /// The value is the old entry.
    ///
    /// # Panics
    ///
    /// As [`unmap`](Self::unmap).
    #[inline]
    pub fn unmap_table(&mut self, slot: &AtomicU64, range: VirtualRange) -> Unmapped<u64, B> {
        let old = self.unmap(slot, range).into_value();
        // Whatever the entry was: it was to be a table.
        unmapped(range, PAGE_LEVEL, Scope::AllLevels, old)
    }

    /// Clears the entries in `slots`, which together translate `range`. There is no value.
    ///
    /// # Panics
    ///
    /// If so many entries do not translate `range` at any level, or if the range cuts a
    /// [contiguous group](crate::contiguous); nothing was changed.
    #[inline]
    pub fn unmap_range(&mut self, slots: &[AtomicU64], range: VirtualRange) -> Unmapped<(), B> {
        let (level, scope) = clear::<B>(slots, range, |_| {});
        unmapped(range, level, scope, ())
    }

    /// Clears the entries in `slots`, which together translate `range`. The value is `buffer`, with
    /// the old entries in it, in order.
    ///
    /// The buffer is owned (an array, a `Vec`, a `&'static mut [u64]`): a forgotten value takes it
    /// along.
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
        let entries = buffer.as_mut();
        assert!(
            entries.len() >= slots.len(),
            "a buffer of {} for {} entries",
            entries.len(),
            slots.len()
        );
        let mut entries = entries.iter_mut();
        let (level, scope) = clear::<B>(slots, range, |old| {
            // There are as many as slots.
            if let Some(entry) = entries.next() {
                *entry = old;
            }
        });
        unmapped(range, level, scope, buffer)
    }

    /// Replaces the valid entry in `slot`, which translates `range`, by another valid one, as the architecture demands when
    /// the output address, the size or the memory type changes: break (the entry is cleared), invalidate, make.
    ///
    /// `make` is given the old entry, as it was when it was cleared, and makes the new one; its store is as by
    /// [`write`](Self::write), so a new table may be filled in `make`. Until then every access to `range` faults, on all
    /// CPUs: the caller sees to it that there is none (Arm ARM DDI 0487, "Using break-before-make
    /// when updating translation table entries").
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
        let old = self.unmap(slot, range).invalidate(self);
        let new = make(old);
        self.write(slot, new);
        old
    }
}
