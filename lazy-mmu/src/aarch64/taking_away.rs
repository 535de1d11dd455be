//! Removes mappings. The old entry is available only after its TLB invalidation.
//!
//! The file is separate from the atomic updates, because the result is an [`Unmapped`]. Its type
//! has the order: clear the entry, invalidate the TLBs, use the frame again. The range may be a
//! user's ([`VirtualRange::of_asid`]).
//!
//! The functions are for code that does not hold a guard, as [`write()`](crate::write()) is. The
//! methods of [`LazyMmu`] do the same in a section, and [`Gather::unmap`] does it for any number of
//! entries. In a RISC-V kernel, the methods are those of [`riscv64`](crate::riscv64).

use core::sync::atomic::AtomicU64;

use super::contiguous;
use super::descriptor::{CONTIGUOUS, TABLE_OR_PAGE, VALID};
use super::granule::{Granule, PAGE_LEVEL};
use crate::protocol::backend::Backend;
use crate::protocol::range::VirtualRange;
use crate::section::descriptor::Descriptor;
#[cfg(any(doc, not(target_arch = "riscv64")))]
use crate::section::gather::{Full, Gather};
#[cfg(any(doc, not(target_arch = "riscv64")))]
use crate::section::guard::LazyMmu;
#[cfg(not(target_arch = "riscv64"))]
use crate::section::nesting::Nesting;
use crate::section::slot::{Slot, Slots};
use crate::section::taking_away::{self, Shape, Tables, level_of};
use crate::section::unmapped::Unmapped;

/// Clears the entry in `slot`, which translates `range`. The value of the result is the old entry.
///
/// The function exchanges the entry atomically. The old entry therefore has the access flag and the
/// dirty state that the hardware set before the exchange. The store does not need the [barrier
/// pair](super::descriptor), because the invalidation has the same effect. The invalidation depends
/// on the old entry: one instruction for a page or block, all levels and every page for a table.
///
/// Do not store another mapping in `slot` before the invalidation, because TLBs may still translate
/// the address by the old one. The crate does not check this.
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// use lazy_mmu::aarch64::{self, Granule};
/// # type Mmu = lazy_mmu::sim::Sim;
///
/// let page = Granule::Kib4.range(0xffff_8000_0000_0000, 1)?;
/// let slot = AtomicU64::new(Leaf::page(0x4000_0000, KERNEL_DATA).0);
/// let old = aarch64::unmap::<Mmu>(&slot, page).invalidate_now();
/// assert_eq!(Leaf(old).address(Granule::Kib4), 0x4000_0000);
/// # Ok::<(), lazy_mmu::BadRange>(())
/// ```
///
/// # Panics
///
/// If `range` is not the range of one entry at any level, or if the entry is in a [contiguous
/// group](super::contiguous). The entry is unchanged then.
#[inline]
pub fn unmap<B: Backend>(slot: impl Slot, range: VirtualRange) -> Unmapped<u64, B> {
    taking_away::unmap::<Vmsa, B>(slot.atomic(), range)
}

/// Clears the entry in `slot`, which points to a table that translates `range`. The value of the
/// result is the old entry.
///
/// The invalidation covers all levels, because walkers may have cached entries of the table.
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::aarch64::descriptor::Table;
/// use lazy_mmu::aarch64::{self, Granule};
/// # type Mmu = lazy_mmu::sim::Sim;
///
/// // An entry at level 2 translates 2 MiB.
/// let range = Granule::Kib4.entry(2, 0xffff_8000_0000_0000)?;
/// let slot = AtomicU64::new(Table::at(0x4800_0000).0);
/// let old = aarch64::unmap_table::<Mmu>(&slot, range).invalidate_now();
/// assert_eq!(Table(old).address(Granule::Kib4), 0x4800_0000); // this frame is free
/// # Ok::<(), lazy_mmu::BadRange>(())
/// ```
///
/// # Panics
///
/// As [`unmap`].
#[inline]
pub fn unmap_table<B: Backend>(slot: impl Slot, range: VirtualRange) -> Unmapped<u64, B> {
    taking_away::unmap_table::<Vmsa, B>(slot.atomic(), range)
}

/// Clears the entries in `slots`, which together translate `range`. The result has no value.
///
/// ```
/// use core::sync::atomic::{AtomicU64, Ordering};
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// use lazy_mmu::aarch64::{self, Granule};
/// # type Mmu = lazy_mmu::sim::Sim;
///
/// let range = Granule::Kib4.range(0xffff_8000_0000_0000, 8)?;
/// let slots: [AtomicU64; 8] = core::array::from_fn(|i| {
///     AtomicU64::new(Leaf::page(0x4000_0000 + 4096 * i as u64, KERNEL_DATA).0)
/// });
/// aarch64::unmap_range::<Mmu>(&slots, range).invalidate_now();
/// assert!(slots.iter().all(|slot| slot.load(Ordering::Relaxed) == 0));
/// # Ok::<(), lazy_mmu::BadRange>(())
/// ```
///
/// # Panics
///
/// If the entries cannot translate `range` at one level, or if the range cuts a [contiguous
/// group](super::contiguous). The entries are unchanged then.
#[inline]
pub fn unmap_range<B: Backend>(slots: impl Slots, range: VirtualRange) -> Unmapped<(), B> {
    taking_away::unmap_range::<Vmsa, B>(slots.atomics(), range)
}

/// Clears the entries in `slots`, which together translate `range`. The value of the result is
/// `buffer` with the old entries in it, in order.
///
/// The result owns the buffer (an array, a `Vec`, a `&'static mut [u64]`). A forgotten result
/// therefore leaks the entries, and code cannot read them before the invalidation.
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// use lazy_mmu::aarch64::{self, Granule};
/// # type Mmu = lazy_mmu::sim::Sim;
///
/// let range = Granule::Kib4.range(0xffff_8000_0000_0000, 2)?;
/// let slots = [0x4000_0000, 0x4100_0000]
///     .map(|address| AtomicU64::new(Leaf::page(address, KERNEL_DATA).0));
/// let old = aarch64::unmap_range_into::<Mmu, _>(&slots, range, [0; 2]).invalidate_now();
/// assert_eq!(old.map(|bits| Leaf(bits).address(Granule::Kib4)), [0x4000_0000, 0x4100_0000]);
/// # Ok::<(), lazy_mmu::BadRange>(())
/// ```
///
/// # Panics
///
/// As [`unmap_range`], and if the buffer is shorter than `slots`.
#[inline]
pub fn unmap_range_into<B: Backend, T: AsMut<[u64]> + 'static>(
    slots: impl Slots,
    range: VirtualRange,
    buffer: T,
) -> Unmapped<T, B> {
    taking_away::unmap_range_into::<Vmsa, B, T>(slots.atomics(), range, buffer)
}

/// Replaces the valid entry in `slot`, which translates `range`, in three steps: *break* (clear the
/// entry), invalidate, *make* (store the new entry). Returns the old entry.
///
/// The architecture demands this order if the output address, the size or the memory type changes
/// (Arm ARM DDI 0487, "Using break-before-make when updating translation table entries").
///
/// The function passes the old entry to `make`, with the flags that the hardware set before the
/// clear. `make` returns the new entry, and may fill a new table first. The new entry is stored as
/// by [`write()`](crate::write()).
///
/// Each access to `range` faults between break and make, on all CPUs. The caller prevents such
/// accesses.
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// use lazy_mmu::aarch64::{self, Granule};
/// # type Mmu = lazy_mmu::sim::Sim;
///
/// // Moves a page to another frame.
/// let page = Granule::Kib4.range(0xffff_8000_0000_0000, 1)?;
/// let slot = AtomicU64::new(Leaf::page(0x4000_0000, KERNEL_DATA).0);
/// let old = aarch64::break_before_make::<Mmu, _>(&slot, page, |_| {
///     Leaf::page(0x4100_0000, KERNEL_DATA)
/// });
/// assert_eq!(Leaf(old).address(Granule::Kib4), 0x4000_0000);
/// # Ok::<(), lazy_mmu::BadRange>(())
/// ```
///
/// # Panics
///
/// As [`unmap`]. If `make` panics, the entry stays cleared.
#[inline]
pub fn break_before_make<B: Backend, D: Descriptor>(
    slot: impl Slot,
    range: VirtualRange,
    make: impl FnOnce(u64) -> D,
) -> u64 {
    taking_away::break_before_make::<Vmsa, B, D>(slot.atomic(), range, make)
}

#[cfg(not(target_arch = "riscv64"))]
impl<L: Nesting, B: Backend> LazyMmu<'_, L, B> {
    /// Clears the entry in `slot`, which translates `range`: see [`aarch64::unmap`](unmap).
    ///
    /// ```
    /// use core::sync::atomic::AtomicU64;
    /// use lazy_mmu::aarch64::Granule;
    /// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
    /// # type Mmu = lazy_mmu::sim::Sim;
    ///
    /// let page = Granule::Kib4.range(0xffff_8000_0000_0000, 1)?;
    /// let slot = AtomicU64::new(Leaf::page(0x4000_0000, KERNEL_DATA).0);
    /// let old = lazy_mmu::with::<Mmu, _>(|mmu| mmu.unmap(&slot, page).invalidate(mmu));
    /// assert_eq!(Leaf(old).address(Granule::Kib4), 0x4000_0000);
    /// # Ok::<(), lazy_mmu::BadRange>(())
    /// ```
    ///
    /// # Panics
    ///
    /// As [`aarch64::unmap`](unmap).
    #[inline]
    pub fn unmap(&mut self, slot: impl Slot, range: VirtualRange) -> Unmapped<u64, B> {
        unmap(slot, range)
    }

    /// Clears the entry in `slot`, which points to a table: see
    /// [`aarch64::unmap_table`](unmap_table). [`Unmapped::map`] has an example of this method.
    ///
    /// # Panics
    ///
    /// As [`aarch64::unmap`](unmap).
    #[inline]
    pub fn unmap_table(&mut self, slot: impl Slot, range: VirtualRange) -> Unmapped<u64, B> {
        unmap_table(slot, range)
    }

    /// Clears the entries in `slots`: see [`aarch64::unmap_range`](unmap_range).
    ///
    /// # Panics
    ///
    /// As [`aarch64::unmap_range`](unmap_range).
    #[inline]
    pub fn unmap_range(&mut self, slots: impl Slots, range: VirtualRange) -> Unmapped<(), B> {
        unmap_range(slots, range)
    }

    /// Clears the entries in `slots` and keeps the old ones in `buffer`: see
    /// [`aarch64::unmap_range_into`](unmap_range_into).
    ///
    /// # Panics
    ///
    /// As [`aarch64::unmap_range_into`](unmap_range_into).
    #[inline]
    pub fn unmap_range_into<T: AsMut<[u64]> + 'static>(
        &mut self,
        slots: impl Slots,
        range: VirtualRange,
        buffer: T,
    ) -> Unmapped<T, B> {
        unmap_range_into(slots, range, buffer)
    }

    /// Replaces the valid entry in `slot` in the order of break-before-make: see
    /// [`aarch64::break_before_make`](break_before_make). The barrier pair of the new entry is
    /// deferred.
    ///
    /// ```
    /// use core::sync::atomic::AtomicU64;
    /// use lazy_mmu::aarch64::Granule;
    /// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
    /// use lazy_mmu::sim;
    ///
    /// type Mmu = sim::Sim;
    ///
    /// // Moves a page to another frame.
    /// let page = Granule::Kib4.range(0xffff_8000_0000_0000, 1)?;
    /// let slot = AtomicU64::new(Leaf::page(0x4000_0000, KERNEL_DATA).0);
    /// lazy_mmu::with::<Mmu, _>(|mmu| {
    ///     let new = Leaf::page(0x4100_0000, KERNEL_DATA);
    ///     let old = mmu.break_before_make(&slot, page, |_| new);
    ///     assert_eq!(Leaf(old).address(Granule::Kib4), 0x4000_0000); // this frame is free
    ///     assert!(!sim::is_settled(&slot)); // The new mapping is not ready.
    /// });
    /// assert!(sim::is_settled(&slot));
    /// # Ok::<(), lazy_mmu::BadRange>(())
    /// ```
    ///
    /// # Panics
    ///
    /// As [`aarch64::break_before_make`](break_before_make).
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

#[cfg(not(target_arch = "riscv64"))]
impl<T, B: Backend> Gather<'_, T, B> {
    /// Clears the entry in `slot`, which translates `range`, as [`aarch64::unmap`](unmap) does. The
    /// gather keeps the value that `value` makes of the old entry. The example is on the page of
    /// [`gather()`](crate::gather()).
    ///
    /// # Errors
    ///
    /// [`Full`] if the gather is full. The entry is unchanged then.
    ///
    /// # Panics
    ///
    /// As [`aarch64::unmap`](unmap). If `value` panics, the entry is cleared, and is invalidated
    /// with the others.
    #[inline]
    pub fn unmap(
        &mut self,
        slot: impl Slot,
        range: VirtualRange,
        value: impl FnOnce(u64) -> T,
    ) -> Result<(), Full> {
        taking_away::gather::<Vmsa, T, B>(self, slot.atomic(), range, value)
    }

    /// Clears the entry in `slot`, which points to a table, as
    /// [`aarch64::unmap_table`](unmap_table) does. Otherwise as [`unmap`](Self::unmap).
    ///
    /// ```
    /// use core::sync::atomic::AtomicU64;
    /// use lazy_mmu::aarch64::Granule;
    /// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf, Table};
    /// # type Mmu = lazy_mmu::sim::Sim;
    ///
    /// // A table of 2 MiB with one page, and the entry that points to the table.
    /// let range = Granule::Kib4.entry(2, 0xffff_8000_0000_0000)?;
    /// let page = Granule::Kib4.range(0xffff_8000_0000_0000, 1)?;
    /// let parent = AtomicU64::new(Table::at(0x4800_0000).0);
    /// let child = AtomicU64::new(Leaf::page(0x4000_0000, KERNEL_DATA).0);
    /// let mut frames = [None; 2];
    /// lazy_mmu::gather::<Mmu, _, _>(&mut frames, |gather| {
    ///     gather.unmap(&child, page, |old| Leaf(old).address(Granule::Kib4))?;
    ///     gather.unmap_table(&parent, range, |old| Table(old).address(Granule::Kib4))
    /// })?;
    /// assert_eq!(frames, [Some(0x4000_0000), Some(0x4800_0000)]);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Full`] if the gather is full. The entry is unchanged then.
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
        taking_away::gather_table::<Vmsa, T, B>(self, slot.atomic(), range, value)
    }
}

/// The tables of VMSAv8-64.
struct Vmsa;

impl Tables for Vmsa {
    fn shape(slots: &[AtomicU64], range: VirtualRange) -> Shape {
        let granule = Granule::of(range);
        let levels = (granule.first_level()..=PAGE_LEVEL).rev();
        let sizes = levels.filter_map(|level| Some((level, granule.entry_size(level)?)));
        let (level, size) = level_of(slots, range, sizes);
        contiguous::refuse_cut(slots, range, level, VALID | CONTIGUOUS);
        Shape {
            may_be_tables: level < PAGE_LEVEL,
            size,
        }
    }

    #[inline]
    fn is_table(bits: u64) -> bool {
        bits & (VALID | TABLE_OR_PAGE) == VALID | TABLE_OR_PAGE
    }
}
