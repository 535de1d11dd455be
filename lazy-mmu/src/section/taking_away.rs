//! Takes entries away, for the tables of any architecture.
//!
//! An architecture implements [`Tables`], and has public functions that call those of this file.
//! The file is separate from `unmapped`, which has the type of the result and does not change
//! entries.

use core::slice;
use core::sync::atomic::{AtomicU64, Ordering};

use super::descriptor::Descriptor;
use super::gather::{Full, Gather};
use super::store;
use super::unmapped::Unmapped;
use crate::protocol::backend::Backend;
use crate::protocol::range::{Invalidation, Scope, VirtualRange};

/// The facts about an architecture's tables that the removal of an entry needs.
pub(crate) trait Tables {
    /// Returns what entries of `slots` may be, which together translate `range`.
    ///
    /// # Panics
    ///
    /// If the entries cannot translate the range at one level, or may not change without others.
    fn shape(slots: &[AtomicU64], range: VirtualRange) -> Shape;

    /// Returns whether these bits point to a table, if they are above the lowest level.
    fn is_table(bits: u64) -> bool;
}

/// What entries may be that translate a range.
pub(crate) struct Shape {
    /// Whether the entries are above the lowest level.
    pub(crate) may_be_tables: bool,
    /// The bytes that each of them translates.
    pub(crate) size: u64,
}

/// Returns the level and the size of the entries that translate `range` together: the first of
/// `sizes` that fits. `sizes` has the levels from the lowest one up, because an empty range without
/// entries fits each of them.
///
/// # Panics
///
/// If no size fits.
pub(crate) fn level_of(
    slots: &[AtomicU64],
    range: VirtualRange,
    mut sizes: impl Iterator<Item = (u8, u64)>,
) -> (u8, u64) {
    let number = slots.len() as u64;
    let fits = |&(_, size): &(u8, u64)| {
        number.checked_mul(size >> range.page_shift()) == Some(range.pages())
            && range.start() & (size - 1) == 0
    };
    sizes.find(fits).unwrap_or_else(|| {
        panic!(
            "{number} entries of one level cannot translate the {} pages from {:#x} on",
            range.pages(),
            range.start()
        )
    })
}

/// Clears the entry in `slot`, which translates `range`.
#[inline]
pub(crate) fn unmap<A: Tables, B: Backend>(
    slot: &AtomicU64,
    range: VirtualRange,
) -> Unmapped<u64, B> {
    let (old, Invalidation { range, scope }) = clear_one::<A, B>(slot, range);
    Unmapped::withhold(old, range, scope)
}

/// Clears the entry in `slot`, which points to a table that translates `range`.
#[inline]
pub(crate) fn unmap_table<A: Tables, B: Backend>(
    slot: &AtomicU64,
    range: VirtualRange,
) -> Unmapped<u64, B> {
    let (old, _) = clear_one::<A, B>(slot, range);
    // The caller says that the entry was a table, whatever its bits are now.
    Unmapped::withhold(old, range, Scope::ALL_LEVELS)
}

/// Clears the entries in `slots`, which together translate `range`.
#[inline]
pub(crate) fn unmap_range<A: Tables, B: Backend>(
    slots: &[AtomicU64],
    range: VirtualRange,
) -> Unmapped<(), B> {
    Unmapped::withhold((), range, clear::<A, B>(slots, range, |_| {}))
}

/// Clears the entries in `slots`, which together translate `range`, and keeps the old ones in
/// `buffer`.
///
/// # Panics
///
/// If the buffer is shorter than `slots`.
#[inline]
pub(crate) fn unmap_range_into<A: Tables, B: Backend, T: AsMut<[u64]> + 'static>(
    slots: &[AtomicU64],
    range: VirtualRange,
    mut buffer: T,
) -> Unmapped<T, B> {
    let entries = buffer.as_mut();
    assert!(
        entries.len() >= slots.len(),
        "the buffer has room for {} of {} entries",
        entries.len(),
        slots.len()
    );
    let mut entries = entries.iter_mut();
    let scope = clear::<A, B>(slots, range, |old| {
        // The buffer has room for all slots.
        if let Some(entry) = entries.next() {
            *entry = old;
        }
    });
    Unmapped::withhold(buffer, range, scope)
}

/// Clears the entry in `slot`, which translates `range`, invalidates the TLBs, and stores the entry
/// that `make` returns. Returns the old entry.
#[inline]
pub(crate) fn break_before_make<A: Tables, B: Backend, D: Descriptor>(
    slot: &AtomicU64,
    range: VirtualRange,
    make: impl FnOnce(u64) -> D,
) -> u64 {
    let old = unmap::<A, B>(slot, range).invalidate_now();
    store::write::<B, D>(slot, make(old));
    old
}

/// Clears the entry in `slot`, which translates `range`, and adds the value that `value` makes of
/// it to the gather.
#[inline]
pub(crate) fn gather<A: Tables, T, B: Backend>(
    gather: &mut Gather<'_, T, B>,
    slot: &AtomicU64,
    range: VirtualRange,
    value: impl FnOnce(u64) -> T,
) -> Result<(), Full> {
    gather.clear_with(|| clear_one::<A, B>(slot, range), value)
}

/// As [`gather`], for an entry that points to a table.
#[inline]
pub(crate) fn gather_table<A: Tables, T, B: Backend>(
    gather: &mut Gather<'_, T, B>,
    slot: &AtomicU64,
    range: VirtualRange,
    value: impl FnOnce(u64) -> T,
) -> Result<(), Full> {
    let clear = || {
        let (old, _) = clear_one::<A, B>(slot, range);
        let scope = Scope::ALL_LEVELS;
        (old, Invalidation { range, scope })
    };
    gather.clear_with(clear, value)
}

/// Clears the entry in `slot`, which translates `range`. Returns the old entry and its
/// invalidation.
#[inline]
fn clear_one<A: Tables, B: Backend>(slot: &AtomicU64, range: VirtualRange) -> (u64, Invalidation) {
    let mut old = 0;
    let scope = clear::<A, B>(slice::from_ref(slot), range, |it| old = it);
    (old, Invalidation { range, scope })
}

/// Clears `slots`, which translate `range`, and passes each old entry to `keep`, in order. Returns
/// the scope of the invalidation.
///
/// # Panics
///
/// As [`Tables::shape`], before it changes an entry.
#[inline]
fn clear<A: Tables, B: Backend>(
    slots: &[AtomicU64],
    range: VirtualRange,
    mut keep: impl FnMut(u64),
) -> Scope {
    let shape = A::shape(slots, range);
    let mut scope = Scope::leaves(shape.size.ilog2());
    for slot in slots {
        let old = take::<B>(slot);
        if shape.may_be_tables && A::is_table(old) {
            // Walkers may have cached the table entry, and the leaves below it.
            scope = Scope::ALL_LEVELS;
        }
        keep(old);
    }
    scope
}

/// Clears the entry in `slot`, and returns the old one with the flags that the hardware has set.
#[inline]
pub(crate) fn take<B: Backend>(slot: &AtomicU64) -> u64 {
    let old = slot.swap(0, Ordering::Relaxed);
    store::changed::<B>(slot, 0);
    old
}
