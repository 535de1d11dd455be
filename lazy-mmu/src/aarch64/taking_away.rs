//! Taking mappings away: the old entry can be had only after its invalidation; break-before-make.
//!
//! Separate from the atomic updates because the result is an [`Unmapped`]: entry, then TLBs, then
//! reuse. The range may be a user's ([`VirtualRange::of_asid`]).
//!
//! The functions are for code without a section in hand, as [`write()`](crate::write()) is; the
//! methods of [`LazyMmu`] do the same, and [`Gather::unmap`] for any number of entries.

use core::slice;
use core::sync::atomic::AtomicU64;

use super::contiguous;
use super::descriptor::{CONTIGUOUS, TABLE_OR_PAGE, VALID};
use super::granule::{Granule, PAGE_LEVEL};
use super::update;
use crate::protocol::backend::Backend;
use crate::protocol::range::{Invalidation, Scope, VirtualRange};
use crate::section::descriptor::Descriptor;
use crate::section::gather::{Full, Gather};
use crate::section::guard::LazyMmu;
use crate::section::nesting::Nesting;
use crate::section::slot::{Slot, Slots};
use crate::section::store;
use crate::section::unmapped::Unmapped;

/// Clears the entry in `slot`, which translates `range`. The value is the old entry.
///
/// The entry is exchanged atomically, so the old value has what the hardware notes in it (accessed,
/// dirty) until then. No pair is needed, and none becomes pending. The invalidation is that of the
/// old entry: one instruction for a page or block; all levels and every page for a table.
///
/// Until the invalidation the address belongs to the old mapping too: do not make another one in
/// `slot` before it. Nothing checks that.
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// use lazy_mmu::aarch64::{self, Granule};
/// use lazy_mmu::sim::Sim;
///
/// let page = Granule::Kib4.range(0xffff_8000_0000_0000, 1)?;
/// let slot = AtomicU64::new(Leaf::page(0x4000_0000, KERNEL_DATA).0);
/// let old = aarch64::unmap::<Sim>(&slot, page).invalidate_now();
/// assert_eq!(Leaf(old).address(Granule::Kib4), 0x4000_0000);
/// # Ok::<(), lazy_mmu::BadRange>(())
/// ```
///
/// # Panics
///
/// If no entry at any level translates `range`, or if the entry is in a [contiguous
/// group](super::contiguous); nothing was changed.
#[inline]
pub fn unmap<B: Backend>(slot: impl Slot, range: VirtualRange) -> Unmapped<u64, B> {
    let (old, Invalidation { range, scope }) = clear_one::<B>(slot, range);
    Unmapped::withhold(old, range, scope)
}

/// Takes away the table to which `slot` points, and with it all that it translates, `range`. The
/// value is the old entry.
///
/// # Panics
///
/// As [`unmap`].
#[inline]
pub fn unmap_table<B: Backend>(slot: impl Slot, range: VirtualRange) -> Unmapped<u64, B> {
    let (old, _) = clear_one::<B>(slot, range);
    // Whatever the entry was: it was to be a table.
    Unmapped::withhold(old, range, Scope::ALL_LEVELS)
}

/// Clears the entries in `slots`, which together translate `range`. There is no value.
///
/// # Panics
///
/// If so many entries do not translate `range` at any level, or if the range cuts a [contiguous
/// group](super::contiguous); nothing was changed.
#[inline]
pub fn unmap_range<B: Backend>(slots: impl Slots, range: VirtualRange) -> Unmapped<(), B> {
    Unmapped::withhold((), range, clear::<B>(slots.atomics(), range, |_| {}))
}

/// Clears the entries in `slots`, which together translate `range`. The value is `buffer`, with the
/// old entries in it, in order.
///
/// The buffer is owned (an array, a `Vec`, a `&'static mut [u64]`): a forgotten value takes it
/// along.
///
/// # Panics
///
/// As [`unmap_range`], and if the buffer is shorter than `slots`.
#[inline]
pub fn unmap_range_into<B: Backend, T: AsMut<[u64]> + 'static>(
    slots: impl Slots,
    range: VirtualRange,
    mut buffer: T,
) -> Unmapped<T, B> {
    let slots = slots.atomics();
    let entries = buffer.as_mut();
    assert!(
        entries.len() >= slots.len(),
        "a buffer of {} for {} entries",
        entries.len(),
        slots.len()
    );
    let mut entries = entries.iter_mut();
    let scope = clear::<B>(slots, range, |old| {
        // There are as many as slots.
        if let Some(entry) = entries.next() {
            *entry = old;
        }
    });
    Unmapped::withhold(buffer, range, scope)
}

/// Replaces the valid entry in `slot`, which translates `range`, by another valid one, as the
/// architecture demands when the output address, the size or the memory type changes: break (the
/// entry is cleared), invalidate, make.
///
/// `make` is given the old entry, as it was when it was cleared, and makes the new one; its store
/// is as by [`write()`](crate::write()), so `make` may fill a new table. Until then every access to
/// `range` faults, on all CPUs: the caller sees to it that there is none (Arm ARM DDI 0487, "Using
/// break-before-make when updating translation table entries").
///
/// Returns the old entry.
///
/// # Panics
///
/// As [`unmap`]. If `make` does, the entry stays cleared.
#[inline]
pub fn break_before_make<B: Backend, D: Descriptor>(
    slot: impl Slot,
    range: VirtualRange,
    make: impl FnOnce(u64) -> D,
) -> u64 {
    let slot = slot.atomic();
    let old = unmap::<B>(slot, range).invalidate_now();
    store::write::<B, D>(slot, make(old));
    old
}

impl<L: Nesting, B: Backend> LazyMmu<'_, L, B> {
    /// [`aarch64::unmap`](unmap) in this section.
    ///
    /// ```
    /// use core::sync::atomic::AtomicU64;
    /// use lazy_mmu::aarch64::Granule;
    /// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
    /// use lazy_mmu::sim::Sim;
    ///
    /// let page = Granule::Kib4.range(0xffff_8000_0000_0000, 1)?;
    /// let slot = AtomicU64::new(Leaf::page(0x4000_0000, KERNEL_DATA).0);
    /// let old = lazy_mmu::with::<Sim, _>(|mmu| mmu.unmap(&slot, page).invalidate(mmu));
    /// assert_eq!(Leaf(old).address(Granule::Kib4), 0x4000_0000);
    /// # Ok::<(), lazy_mmu::BadRange>(())
    /// ```
    ///
    /// # Panics
    ///
    /// As that function.
    #[inline]
    pub fn unmap(&mut self, slot: impl Slot, range: VirtualRange) -> Unmapped<u64, B> {
        unmap(slot, range)
    }

    /// [`aarch64::unmap_table`](unmap_table) in this section.
    ///
    /// # Panics
    ///
    /// As that function.
    #[inline]
    pub fn unmap_table(&mut self, slot: impl Slot, range: VirtualRange) -> Unmapped<u64, B> {
        unmap_table(slot, range)
    }

    /// [`aarch64::unmap_range`](unmap_range) in this section.
    ///
    /// # Panics
    ///
    /// As that function.
    #[inline]
    pub fn unmap_range(&mut self, slots: impl Slots, range: VirtualRange) -> Unmapped<(), B> {
        unmap_range(slots, range)
    }

    /// [`aarch64::unmap_range_into`](unmap_range_into) in this section.
    ///
    /// # Panics
    ///
    /// As that function.
    #[inline]
    pub fn unmap_range_into<T: AsMut<[u64]> + 'static>(
        &mut self,
        slots: impl Slots,
        range: VirtualRange,
        buffer: T,
    ) -> Unmapped<T, B> {
        unmap_range_into(slots, range, buffer)
    }

    /// [`aarch64::break_before_make`](break_before_make) in this section: the pair of the new entry
    /// is deferred.
    ///
    /// # Panics
    ///
    /// As that function.
    #[inline]
    pub fn break_before_make<D: Descriptor>(
        &mut self,
        slot: impl Slot,
        range: VirtualRange,
        make: impl FnOnce(u64) -> D,
    ) -> u64 {
        let slot = slot.atomic();
        let old = self.unmap(slot, range).invalidate(self);
        self.write(slot, make(old));
        old
    }
}

impl<T, B: Backend> Gather<'_, T, B> {
    /// [`aarch64::unmap`](unmap): clears the entry in `slot`, which translates `range`, and keeps
    /// the value that `value` makes of the old entry.
    ///
    /// # Errors
    ///
    /// [`Full`]; nothing was changed.
    ///
    /// # Panics
    ///
    /// As that function. If `value` does, the entry is cleared, and is invalidated with the others.
    #[inline]
    pub fn unmap(
        &mut self,
        slot: impl Slot,
        range: VirtualRange,
        value: impl FnOnce(u64) -> T,
    ) -> Result<(), Full> {
        self.clear_with(|| clear_one::<B>(slot, range), value)
    }

    /// [`aarch64::unmap_table`](unmap_table), as [`unmap`](Self::unmap).
    ///
    /// # Errors
    ///
    /// [`Full`]; nothing was changed.
    ///
    /// # Panics
    ///
    /// As [`unmap`](Self::unmap).
    #[inline]
    pub fn unmap_table(
        &mut self,
        slot: impl Slot,
        range: VirtualRange,
        value: impl FnOnce(u64) -> T,
    ) -> Result<(), Full> {
        let scope = Scope::ALL_LEVELS;
        self.clear_with(
            || (clear_one::<B>(slot, range).0, Invalidation { range, scope }),
            value,
        )
    }
}

/// Clears the entry in `slot`, which translates `range`; returns it, and its invalidation.
#[inline]
fn clear_one<B: Backend>(slot: impl Slot, range: VirtualRange) -> (u64, Invalidation) {
    let mut old = 0;
    let scope = clear::<B>(slice::from_ref(slot.atomic()), range, |it| old = it);
    (old, Invalidation { range, scope })
}

/// Clears `slots`, which translate `range`, and gives each old entry to `keep`, in order. Returns
/// which entries the TLBs must forget.
///
/// # Panics
///
/// As [`check_shape`], before anything is changed.
#[inline]
fn clear<B: Backend>(slots: &[AtomicU64], range: VirtualRange, mut keep: impl FnMut(u64)) -> Scope {
    let (level, leaves) = check_shape(slots, range);
    let mut scope = leaves;
    for slot in slots {
        let old = update::clear::<B>(slot);
        if level < PAGE_LEVEL && old & (VALID | TABLE_OR_PAGE) == VALID | TABLE_OR_PAGE {
            // Walks have cached a table entry, and the leaves below it.
            scope = Scope::ALL_LEVELS;
        }
        keep(old);
    }
    scope
}

/// The level at which `slots` can translate `range` together, without a part of a contiguous group,
/// and the scope of its leaves.
///
/// # Panics
///
/// If there is none.
fn check_shape(slots: &[AtomicU64], range: VirtualRange) -> (u8, Scope) {
    let granule = Granule::of(range);
    let number = slots.len() as u64;
    let fits = |&(_, size): &(u8, u64)| {
        number.checked_mul(size >> granule.page_shift()) == Some(range.pages())
            && range.start() & (size - 1) == 0
    };
    // The lowest one, for no entries and an empty range fit everywhere.
    let levels = (granule.first_level()..=PAGE_LEVEL).rev();
    let sizes = levels.filter_map(|level| Some((level, granule.entry_size(level)?)));
    let Some((level, size)) = { sizes }.find(fits) else {
        panic!(
            "{number} entries of one level cannot translate the {} pages from {:#x} on",
            range.pages(),
            range.start()
        );
    };
    contiguous::refuse_cut(slots, range, level, VALID | CONTIGUOUS);
    (level, Scope::leaves(size.ilog2()))
}
