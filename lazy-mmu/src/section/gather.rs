//! Any number of mappings taken away, and one invalidation for all of them.
//!
//! Separate from `unmapped`, which has the type of one value, because a gather keeps its values in
//! storage that its caller lends to it.

use core::fmt;
use core::marker::PhantomData;

use super::invalidate::invalidate_here;
use super::unmapped::Unmapped;
use crate::protocol::backend::{Backend, Global};
use crate::protocol::range::{Invalidation, Scope, VirtualRange};
use crate::protocol::token::BoundToThread;

/// How many ranges that do not adjoin each other a gather keeps apart.
const RANGES: usize = 8;

/// Room for them. A constant, because a loop that fills an array copies each element by itself.
const NOTHING: [Invalidation; RANGES] = [Invalidation {
    range: VirtualRange::NOTHING,
    scope: Scope::PAGES,
}; RANGES];

/// Mappings that were taken away, and values that must outlive their translations: frames, tables,
/// the token of the virtual range. [`gather()`] lends one to its closure.
///
/// The values stay in the caller's storage. Each has a range and a scope of its own. Ranges that
/// adjoin are merged; of the others a gather keeps up to 8 apart, and then merges the last two.
/// Where they need more operations than the machine executes one by one, it invalidates everything.
pub struct Gather<'g, T, B: Backend = Global> {
    values: &'g mut [Option<T>],
    /// How many values there are, at the front.
    len: usize,
    invalidations: [Invalidation; RANGES],
    /// How many of them there are.
    ranges: usize,
    backend: PhantomData<B>,
    _thread: BoundToThread,
}

/// Runs `f` with an empty [`Gather`]; then removes all that it gathered from the TLBs, by one
/// invalidation, when `f` returns or panics. After that the values are in `storage`, from the
/// front.
///
/// While `f` runs, `storage` is lent to the gather: so no value can be had before the invalidation.
/// It is any slice, of an array, of a page or of a `Vec`, and its length bounds the number of
/// values. A gather that is [full](Gather::is_full) refuses before an entry is cleared; then
/// [`flush`](Gather::flush) it, and go on.
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::aarch64::Granule;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// use lazy_mmu::gather;
/// use lazy_mmu::sim::{Event, Sim, take_trace};
///
/// # #[derive(Debug)]
/// struct Frame(u64);
/// # fn free(_: Frame) {}
///
/// let table: [AtomicU64; 512] =
///     core::array::from_fn(|i| AtomicU64::new(Leaf::page(4096 * i as u64, KERNEL_DATA).0));
/// let mut frames = [const { None }; 64];
/// gather::<Sim, _, _>(&mut frames, |gather| {
///     for (slot, page) in table.iter().zip(0xffff_8000_0000_0000..) {
///         # let page = 0xffff_8000_0000_0000 + 4096 * (page - 0xffff_8000_0000_0000);
///         if gather.is_full() {
///             gather.flush(free);
///         }
///         let page = Granule::Kib4.range(page, 1)?;
///         gather.unmap(slot, page, |old| Frame(Leaf(old).address(Granule::Kib4)))?;
///     }
///     Ok::<(), Box<dyn core::error::Error>>(())
/// })?;
/// frames.into_iter().flatten().for_each(free);
/// // 8 times 64 pages, each with its TLBI, in 8 sequences of one `dsb ishst` each.
/// let sequences = take_trace().iter().filter(|it| **it == Event::DsbIshst).count();
/// assert_eq!(sequences, 8);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
///
/// # Panics
///
/// If `storage` has a value in it already.
#[inline]
pub fn gather<B: Backend, T, R>(
    storage: &mut [Option<T>],
    f: impl for<'g> FnOnce(&mut Gather<'g, T, B>) -> R,
) -> R {
    assert!(
        storage.iter().all(Option::is_none),
        "the storage of a gather is empty at first"
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
    /// Whether there is no room for another value.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.len == self.values.len()
    }

    /// Takes over a mapping that was taken away, with the invalidation that it needs.
    ///
    /// # Errors
    ///
    /// The mapping, if the gather is full.
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

    /// Withholds `value` until the entries of `scope` that translate `range` have been removed from
    /// the TLBs: for a mapping that other code has taken away before this call.
    ///
    /// # Errors
    ///
    /// The value, if the gather is full. Then the range is not invalidated.
    #[inline]
    pub fn withhold(&mut self, value: T, range: VirtualRange, scope: Scope) -> Result<(), T> {
        if self.is_full() {
            return Err(value);
        }
        self.note(Invalidation { range, scope });
        self.push(value);
        Ok(())
    }

    /// Withholds a value that has no mapping of its own, until the next invalidation: the token of
    /// the virtual range, say.
    ///
    /// # Errors
    ///
    /// The value, if the gather is full.
    #[inline]
    pub fn keep(&mut self, value: T) -> Result<(), T> {
        if self.is_full() {
            return Err(value);
        }
        self.push(value);
        Ok(())
    }

    /// Notes an invalidation, and then adds the value that `value` makes: for an entry that `value`
    /// clears.
    ///
    /// # Errors
    ///
    /// [`Full`], before `clear` is called.
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
        // First, because `value` may panic.
        self.note(invalidation);
        self.push(value(old));
        Ok(())
    }

    /// Removes all that it has gathered from the TLBs, by one invalidation, and then passes each
    /// value to `f`, in order. The gather is empty after that.
    ///
    /// A panic in `f` leaves the values behind it in the storage. If the gather is used further,
    /// it drops them when it needs their places.
    pub fn flush(&mut self, f: impl FnMut(T)) {
        self.invalidate();
        let len = core::mem::take(&mut self.len);
        self.values[..len]
            .iter_mut()
            .filter_map(Option::take)
            .for_each(f);
    }

    /// Stores a value; there is room for it.
    fn push(&mut self, value: T) {
        let left_behind = self.values[self.len].replace(value);
        self.len += 1;
        // After the value counts, because a destructor may panic.
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
    /// Does not show the values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gather")
            .field("len", &self.len)
            .field("invalidations", &&self.invalidations[..self.ranges])
            .finish_non_exhaustive()
    }
}

/// A gather has no room for another value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Full;

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the gather is full: flush it before more is taken away")
    }
}

impl core::error::Error for Full {}
