//! Many removed mappings, with one invalidation for all of them.
//!
//! Separate from `unmapped`, which has the type of one value, because a gather keeps its values in
//! storage that its caller lends.

use core::fmt;
use core::marker::PhantomData;

use super::invalidate::invalidate_here;
use super::unmapped::Unmapped;
use crate::protocol::backend::{Backend, Global};
use crate::protocol::range::{Invalidation, Scope, VirtualRange};
use crate::protocol::token::BoundToThread;

/// The number of separate ranges that a gather keeps.
const RANGES: usize = 8;

/// Empty room for the ranges. A constant, because a loop that fills an array copies each element
/// separately.
const NOTHING: [Invalidation; RANGES] = [Invalidation {
    range: VirtualRange::NOTHING,
    scope: Scope::PAGES,
}; RANGES];

/// A collection of the values of removed mappings.
///
/// The values are locked until one invalidation covers all of the mappings. Examples are frames,
/// tables, and the reservation of the virtual range, which must outlive the translations.
/// [`gather()`] lends a `Gather` to its closure. The values stay in the storage of the caller.
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::aarch64::Granule;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// use lazy_mmu::sim::{Event, take_trace};
/// use lazy_mmu::{Full, Gather, Scope, VirtualRange};
///
/// type Mmu = lazy_mmu::sim::Sim;
///
/// type Frame = u64;
///
/// fn remove(
///     gather: &mut Gather<'_, Frame, Mmu>,
///     slot: &AtomicU64,
///     page: VirtualRange,
/// ) -> Result<(), Full> {
///     gather.unmap(slot, page, |old| Leaf(old).address(Granule::Kib4))
/// }
///
/// let slot = AtomicU64::new(Leaf::page(0x4000_0000, KERNEL_DATA).0);
/// let one = Granule::Kib4.range(0xffff_8000_0000_0000, 1)?;
/// let two = Granule::Kib4.range(0xffff_8000_0000_1000, 1)?;
/// let mut frames = [None; 3];
/// lazy_mmu::gather::<Mmu, _, _>(&mut frames, |gather| {
///     remove(gather, &slot, one)?;
///     // Other code has cleared the entry of the second page, and has returned the frame.
///     gather.withhold(0x4000_1000, two, Scope::PAGES).expect("there is room");
///     // A frame that is freed with the others, and is not mapped.
///     gather.keep(0x4000_2000).expect("there is room");
///     Ok::<(), Full>(())
/// })?;
/// assert_eq!(frames, [Some(0x4000_0000), Some(0x4000_1000), Some(0x4000_2000)]);
/// // One sequence, which has one `dsb ishst`.
/// assert_eq!(take_trace().iter().filter(|it| **it == Event::DsbIshst).count(), 1);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
///
/// Each mapping has its own range and scope. Ranges that adjoin or overlap are merged if they have
/// the same scope, page size and ASID, and if both or neither are for this CPU only. A gather keeps
/// up to 8 separate ranges, and merges a further range into the last one. If the ranges need more
/// operations than the machine executes one by one, the machine invalidates everything.
pub struct Gather<'g, T, B: Backend = Global> {
    values: &'g mut [Option<T>],
    /// The number of values, which are at the front.
    len: usize,
    invalidations: [Invalidation; RANGES],
    /// The number of invalidations, which are at the front.
    ranges: usize,
    backend: PhantomData<B>,
    _thread: BoundToThread,
}

/// Runs `f` with an empty [`Gather`], and then removes the gathered mappings from the TLBs by one
/// invalidation.
///
/// The invalidation happens when `f` returns or panics. After it, the values are in `storage`, from
/// the front. While `f` runs, `storage` is lent to the gather, so no value can be taken before the
/// invalidation.
///
/// `storage` is any slice: of an array, of a page or of a `Vec`. Its length limits the number of
/// values. A gather that is [full](Gather::is_full) returns an error before an entry is cleared.
/// [`flush`](Gather::flush) makes room.
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::aarch64::Granule;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// use lazy_mmu::gather;
/// use lazy_mmu::sim::{Event, take_trace};
///
/// type Mmu = lazy_mmu::sim::Sim;
///
/// # #[derive(Debug)]
/// struct Frame(u64);
/// # fn free(_: Frame) {}
///
/// let table: [AtomicU64; 512] =
///     core::array::from_fn(|i| AtomicU64::new(Leaf::page(4096 * i as u64, KERNEL_DATA).0));
/// let mut frames = [const { None }; 64];
/// gather::<Mmu, _, _>(&mut frames, |gather| {
///     for (i, slot) in table.iter().enumerate() {
///         if gather.is_full() {
///             gather.flush(free);
///         }
///         let page = Granule::Kib4.range(0xffff_8000_0000_0000 + 4096 * i as u64, 1)?;
///         gather.unmap(slot, page, |old| Frame(Leaf(old).address(Granule::Kib4)))?;
///     }
///     Ok::<(), Box<dyn core::error::Error>>(())
/// })?;
/// frames.into_iter().flatten().for_each(free);
/// // 8 sequences of 64 pages each. A sequence has one `dsb ishst`, and one TLBI for each page.
/// let sequences = take_trace().iter().filter(|it| **it == Event::DsbIshst).count();
/// assert_eq!(sequences, 8);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
///
/// # Panics
///
/// Panics if `storage` has a value in it.
#[inline]
pub fn gather<B: Backend, T, R>(
    storage: &mut [Option<T>],
    f: impl for<'g> FnOnce(&mut Gather<'g, T, B>) -> R,
) -> R {
    assert!(
        storage.iter().all(Option::is_none),
        "the storage of a gather must contain only `None`"
    );
    f(&mut Gather {
        values: storage,
        len: 0,
        invalidations: NOTHING,
        ranges: 0,
        backend: PhantomData,
        _thread: BoundToThread::HERE,
    })
}

impl<T, B: Backend> Gather<'_, T, B> {
    /// Returns whether the gather does not have room for another value. [`gather()`] shows an
    /// example.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.len == self.values.len()
    }

    /// Adds an [`Unmapped`] value, and takes over its invalidation.
    ///
    /// ```
    /// use core::sync::atomic::AtomicU64;
    /// use lazy_mmu::aarch64::Granule;
    /// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
    ///
    /// type Mmu = lazy_mmu::sim::Sim;
    ///
    /// let slot = AtomicU64::new(Leaf::page(0x4000_0000, KERNEL_DATA).0);
    /// let page = Granule::Kib4.range(0xffff_8000_0000_0000, 1)?;
    /// let unmapped = lazy_mmu::with::<Mmu, _>(|mmu| mmu.unmap(&slot, page));
    /// let mut storage = [None; 1];
    /// lazy_mmu::gather::<Mmu, _, _>(&mut storage, |gather| gather.add(unmapped).unwrap());
    /// assert_eq!(storage[0].map(Leaf), Some(Leaf::page(0x4000_0000, KERNEL_DATA)));
    /// # Ok::<(), lazy_mmu::BadRange>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns `unmapped` if the gather is full.
    #[inline]
    pub fn add(&mut self, unmapped: Unmapped<T, B>) -> Result<(), Unmapped<T, B>> {
        if self.is_full() {
            return Err(unmapped);
        }
        let (value, invalidation) = unmapped.into_parts();
        self.note(invalidation);
        self.push(value);
        Ok(())
    }

    /// Locks `value` until the entries of `scope` that translate `range` have been removed from the
    /// TLBs.
    ///
    /// Use it for a mapping that other code has removed before this call. [`Gather`] shows an
    /// example.
    ///
    /// # Errors
    ///
    /// Returns `value` if the gather is full. The range is not invalidated then.
    #[inline]
    pub fn withhold(&mut self, value: T, range: VirtualRange, scope: Scope) -> Result<(), T> {
        if self.is_full() {
            return Err(value);
        }
        self.note(Invalidation { range, scope });
        self.push(value);
        Ok(())
    }

    /// Locks `value` until the next invalidation, without an invalidation of its own.
    ///
    /// Use it for a value that has no mapping of its own, for example the reservation of the
    /// virtual range. [`Gather`] shows an example.
    ///
    /// # Errors
    ///
    /// Returns `value` if the gather is full.
    #[inline]
    pub fn keep(&mut self, value: T) -> Result<(), T> {
        if self.is_full() {
            return Err(value);
        }
        self.push(value);
        Ok(())
    }

    /// Clears an entry, notes its invalidation, and adds the value that `value` makes of the old
    /// entry.
    ///
    /// # Errors
    ///
    /// Returns [`Full`] if the gather is full, before `clear` is called.
    #[inline]
    pub(crate) fn clear_with(
        &mut self,
        clear: impl FnOnce() -> (u64, Invalidation),
        value: impl FnOnce(u64) -> T,
    ) -> Result<(), Full> {
        if self.is_full() {
            return Err(Full);
        }
        let (old, invalidation) = clear();
        // Noted first, because `value` may panic.
        self.note(invalidation);
        self.push(value(old));
        Ok(())
    }

    /// Removes the gathered mappings from the TLBs by one invalidation, and then passes each value
    /// to `f`, in order.
    ///
    /// The gather is empty afterwards. A panic in `f` leaves the later values in the storage. If
    /// the gather is used again, it drops these values when it needs their places.
    /// [`gather()`] shows an example.
    pub fn flush(&mut self, f: impl FnMut(T)) {
        self.invalidate();
        let len = core::mem::take(&mut self.len);
        self.values[..len]
            .iter_mut()
            .filter_map(Option::take)
            .for_each(f);
    }

    /// Stores a value. The caller has checked that there is room.
    fn push(&mut self, value: T) {
        let left_behind = self.values[self.len].replace(value);
        self.len += 1;
        // Dropped after the value is counted, because a destructor may panic.
        drop(left_behind);
    }

    fn note(&mut self, invalidation: Invalidation) {
        let known = &mut self.invalidations[..self.ranges];
        let adjoining = known.iter_mut().rev().find(|known| {
            known.scope == invalidation.scope && known.range.is_adjoined_by(invalidation.range)
        });
        if let Some(known) = adjoining {
            *known = known.union(invalidation);
        } else if self.ranges == RANGES {
            let last = &mut self.invalidations[RANGES - 1];
            *last = last.union(invalidation);
        } else {
            self.invalidations[self.ranges] = invalidation;
            self.ranges += 1;
        }
    }

    fn invalidate(&mut self) {
        if self.ranges != 0 {
            invalidate_here::<B>(&self.invalidations[..self.ranges]);
            self.ranges = 0;
        }
    }
}

impl<T, B: Backend> Drop for Gather<'_, T, B> {
    #[inline]
    fn drop(&mut self) {
        self.invalidate();
    }
}

impl<T, B: Backend> fmt::Debug for Gather<'_, T, B> {
    /// Does not show the values, because they are locked.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gather")
            .field("len", &self.len)
            .field("invalidations", &&self.invalidations[..self.ranges])
            .finish_non_exhaustive()
    }
}

/// The error of a [`Gather`] that has no room for another value.
///
/// ```
/// use core::sync::atomic::{AtomicU64, Ordering};
/// use lazy_mmu::aarch64::Granule;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// use lazy_mmu::{Full, gather};
///
/// type Mmu = lazy_mmu::sim::Sim;
///
/// let entry = |frame| AtomicU64::new(Leaf::page(frame, KERNEL_DATA).0);
/// let table = [entry(0x4000_0000), entry(0x4000_1000)];
/// let page = Granule::Kib4.range(0xffff_8000_0000_0000, 1)?;
/// let next = Granule::Kib4.range(0xffff_8000_0000_1000, 1)?;
/// let mut storage = [None; 1]; // has room for one value
/// let error: Full = gather::<Mmu, _, _>(&mut storage, |gather| {
///     gather.unmap(&table[0], page, |old| old)?;
///     gather.unmap(&table[1], next, |old| old)
/// })
/// .unwrap_err();
/// let text = "the gather is full; flush it before the next mapping is removed";
/// assert_eq!(error.to_string(), text);
/// assert_ne!(table[1].load(Ordering::Relaxed), 0); // The entry was not cleared.
/// # Ok::<(), lazy_mmu::BadRange>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Full;

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the gather is full; flush it before the next mapping is removed")
    }
}

impl core::error::Error for Full {}
