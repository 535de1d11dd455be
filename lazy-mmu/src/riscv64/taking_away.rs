//! Takes mappings away, and replaces valid entries. The old entry is available only after its
//! invalidation.
//!
//! The file is separate from the descriptors, because the result is an [`Unmapped`]. Its type has
//! the order: clear the entry, invalidate the TLBs, use the frame again. The range may be a user's
//! ([`VirtualRange::of_asid`]).
//!
//! The functions work in a section and outside, as [`write()`](crate::write()) does. In a kernel
//! for RISC-V, [`LazyMmu`] and [`Gather`](crate::Gather) have methods of the same names. On another
//! architecture, such as the host of a test, these methods are those of
//! [`aarch64`](crate::aarch64). Tests on a host therefore call the functions.

use core::sync::atomic::{AtomicU64, Ordering};

use super::descriptor::{VALID, is_table};
use super::mode::{Mode, PAGE_SHIFT};
use crate::protocol::backend::Backend;
use crate::protocol::range::{Scope, VirtualRange};
use crate::section::descriptor::Descriptor;
#[cfg(target_arch = "riscv64")]
use crate::section::gather::{Full, Gather};
#[cfg(any(doc, target_arch = "riscv64"))]
use crate::section::guard::LazyMmu;
#[cfg(target_arch = "riscv64")]
use crate::section::nesting::Nesting;
use crate::section::slot::{Slot, Slots};
use crate::section::store;
use crate::section::taking_away::{self, Shape, Tables, level_of};
use crate::section::unmapped::Unmapped;

/// Clears the entry in `slot`, which translates `range`. The value of the result is the old entry.
///
/// The function exchanges the entry atomically. The old entry therefore has the A and D bits that
/// the hardware set before the exchange. The store does not need the barrier, because the
/// invalidation covers it. The invalidation depends on the old entry: one fence for a leaf of any
/// size, and a fence without an address for a table.
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::riscv64::descriptor::{KERNEL_DATA, Leaf};
/// use lazy_mmu::riscv64::{self, Mode};
/// # type Mmu = lazy_mmu::sim::Sim;
///
/// let page = Mode::Sv39.range(0xffff_ffc0_0000_0000, 1)?;
/// let slot = AtomicU64::new(Leaf::page(0x8000_0000, KERNEL_DATA).0);
/// let old = lazy_mmu::with::<Mmu, _>(|mmu| {
///     riscv64::unmap::<Mmu>(&slot, page).invalidate(mmu) // or `invalidate_now()`
/// });
/// assert_eq!(Leaf(old).address(), 0x8000_0000);
/// # Ok::<(), lazy_mmu::BadRange>(())
/// ```
///
/// # Panics
///
/// If `range` is not the range of one entry at any level. The entry is unchanged then.
#[inline]
pub fn unmap<B: Backend>(slot: impl Slot, range: VirtualRange) -> Unmapped<u64, B> {
    taking_away::unmap::<Sv, B>(slot.atomic(), range)
}

/// Clears the entry in `slot`, which points to a table that translates `range`. The value of the
/// result is the old entry. [`unmap`] recognises a table by the bits of the entry. This function is
/// for an entry whose bits may have changed.
///
/// The invalidation is a fence without an address, because a fence with an address does not remove
/// cached entries above the leaves (Linux: `flush_tlb_mm` if `freed_tables` is set).
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::riscv64::descriptor::Table;
/// use lazy_mmu::riscv64::{self, Mode};
/// # type Mmu = lazy_mmu::sim::Sim;
///
/// // An entry at level 1 translates 2 MiB.
/// let range = Mode::Sv39.entry(1, 0xffff_ffc0_0000_0000)?;
/// let slot = AtomicU64::new(Table::at(0x8800_0000).0);
/// let old = riscv64::unmap_table::<Mmu>(&slot, range).invalidate_now();
/// assert_eq!(Table(old).address(), 0x8800_0000); // this frame is free
/// # Ok::<(), lazy_mmu::BadRange>(())
/// ```
///
/// # Panics
///
/// As [`unmap`].
#[inline]
pub fn unmap_table<B: Backend>(slot: impl Slot, range: VirtualRange) -> Unmapped<u64, B> {
    taking_away::unmap_table::<Sv, B>(slot.atomic(), range)
}

/// Clears the entries in `slots`, which together translate `range`. The result has no value.
///
/// ```
/// use core::sync::atomic::{AtomicU64, Ordering};
/// use lazy_mmu::riscv64::descriptor::{KERNEL_DATA, Leaf};
/// use lazy_mmu::riscv64::{self, Mode};
/// # type Mmu = lazy_mmu::sim::Sim;
///
/// let range = Mode::Sv39.range(0xffff_ffc0_0000_0000, 8)?;
/// let slots: [AtomicU64; 8] = core::array::from_fn(|i| {
///     AtomicU64::new(Leaf::page(0x8000_0000 + 4096 * i as u64, KERNEL_DATA).0)
/// });
/// riscv64::unmap_range::<Mmu>(&slots, range).invalidate_now();
/// assert!(slots.iter().all(|slot| slot.load(Ordering::Relaxed) == 0));
/// # Ok::<(), lazy_mmu::BadRange>(())
/// ```
///
/// # Panics
///
/// If the entries cannot translate `range` at one level. The entries are unchanged then.
#[inline]
pub fn unmap_range<B: Backend>(slots: impl Slots, range: VirtualRange) -> Unmapped<(), B> {
    taking_away::unmap_range::<Sv, B>(slots.atomics(), range)
}

/// Clears the entries in `slots`, which together translate `range`. The value of the result is
/// `buffer` with the old entries in it, in order.
///
/// The result owns the buffer (an array, a `Vec`, a `&'static mut [u64]`). A forgotten result
/// therefore leaks the entries, and code cannot read them before the invalidation.
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::riscv64::descriptor::{KERNEL_DATA, Leaf};
/// use lazy_mmu::riscv64::{self, Mode};
/// # type Mmu = lazy_mmu::sim::Sim;
///
/// let range = Mode::Sv39.range(0xffff_ffc0_0000_0000, 2)?;
/// let slots = [0x8000_0000, 0x8100_0000]
///     .map(|address| AtomicU64::new(Leaf::page(address, KERNEL_DATA).0));
/// let old = riscv64::unmap_range_into::<Mmu, _>(&slots, range, [0; 2]).invalidate_now();
/// assert_eq!(old.map(|bits| Leaf(bits).address()), [0x8000_0000, 0x8100_0000]);
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
    taking_away::unmap_range_into::<Sv, B, T>(slots.atomics(), range, buffer)
}

/// Replaces the entry in `slot`, which translates `range`, by `new`, without a time in which the
/// entry is invalid. The value of the result is the old entry.
///
/// RISC-V permits this for two entries of different addresses, permissions or sizes. Until the
/// invalidation, an access may use the old entry or the new one, and its behaviour is otherwise
/// well defined (RISC-V privileged specification, "Supervisor Memory-Management Fence
/// Instruction"). The exception is a memory type of Svpbmt, because two types of one location may
/// lose its coherence. The specification of Svpbmt has the sequence for it, between break and make
/// ([`break_before_make`]). A leaf is split in this way: the children are filled, and then the
/// entry is replaced by one that points to them.
///
/// The function exchanges the entry atomically, so the old entry has the A and D bits that the
/// hardware set before. The new entry has those that the caller gives it.
///
/// The invalidation covers the new entry too, so the store does not need the barrier. A forgotten
/// result leaves the old entry in the TLBs. If the old entry was invalid, the function defers or
/// executes the barrier, as [`write()`](crate::write()) does.
///
/// ```
/// use core::sync::atomic::{AtomicU64, Ordering};
/// use lazy_mmu::riscv64::descriptor::{KERNEL_DATA, Leaf, Table};
/// use lazy_mmu::riscv64::{self, Mode};
/// # type Mmu = lazy_mmu::sim::Sim;
///
/// // Splits a leaf of 2 MiB into pages.
/// let range = Mode::Sv39.entry(1, 0xffff_ffc0_0000_0000)?;
/// let large = Leaf::new(Mode::Sv39, 1, 0x8020_0000, KERNEL_DATA).unwrap();
/// let slot = AtomicU64::new(large.0);
/// let children: [AtomicU64; 512] = core::array::from_fn(|i| {
///     AtomicU64::new(Leaf::page(0x8020_0000 + 4096 * i as u64, KERNEL_DATA).0)
/// });
/// let table = Table::at(0x8800_0000); // the frame of `children`
/// let old = riscv64::replace::<Mmu, _>(&slot, range, table).invalidate_now();
/// assert_eq!((old, slot.load(Ordering::Relaxed)), (large.0, table.0));
/// # Ok::<(), lazy_mmu::BadRange>(())
/// ```
///
/// # Panics
///
/// As [`unmap`].
#[inline]
pub fn replace<B: Backend, D: Descriptor>(
    slot: impl Slot,
    range: VirtualRange,
    new: D,
) -> Unmapped<u64, B> {
    let slot = slot.atomic();
    let shape = Sv::shape(core::slice::from_ref(slot), range);
    let (new, needs_barrier) = store::prepare::<B, D>(new);
    let old = slot.swap(new, Ordering::Relaxed);
    store::changed::<B>(slot, new);
    // The result may be forgotten. After a valid entry, harts then use the old one or the new one.
    // After an invalid entry, an access through the new one would fault.
    if needs_barrier && old & VALID == 0 {
        store::note_store::<B>();
    }
    let leaves = Scope::leaves(shape.size.ilog2());
    let has_table = shape.may_be_tables && [old, new].into_iter().any(is_table);
    let scope = if has_table { Scope::ALL_LEVELS } else { leaves };
    Unmapped::withhold(old, range, scope)
}

/// Replaces the valid entry in `slot`, which translates `range`, in three steps: *break* (clear the
/// entry), invalidate, *make* (store the new entry). Returns the old entry.
///
/// RISC-V does not demand this order, and [`replace`] has one step. The three steps are for a
/// change in which no access may use either entry meanwhile: `make` copies a page to another frame,
/// for example. An access to `range` may fault until the function has returned and the barrier of
/// the new entry is executed, on all harts. The caller prevents such accesses.
///
/// The function passes the old entry to `make`, with the A and D bits that the hardware set before
/// the clear. The new entry is stored as by [`write()`](crate::write()).
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::riscv64::descriptor::{KERNEL_DATA, Leaf};
/// use lazy_mmu::riscv64::{self, Mode};
/// # type Mmu = lazy_mmu::sim::Sim;
/// # fn copy(_from: u64, _to: u64) {}
///
/// // Moves a page to another frame.
/// let page = Mode::Sv39.range(0xffff_ffc0_0000_0000, 1)?;
/// let slot = AtomicU64::new(Leaf::page(0x8000_0000, KERNEL_DATA).0);
/// let old = riscv64::break_before_make::<Mmu, _>(&slot, page, |old| {
///     copy(Leaf(old).address(), 0x8100_0000);
///     Leaf::page(0x8100_0000, KERNEL_DATA)
/// });
/// assert_eq!(Leaf(old).address(), 0x8000_0000);
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
    taking_away::break_before_make::<Sv, B, D>(slot.atomic(), range, make)
}

/// Sets or clears V in each of `slots`, the entries for the pages of `range` in the linear map
/// (Linux: `__kernel_map_pages` with DEBUG_PAGEALLOC). The other bits stay unchanged.
///
/// * **Made valid.** The barrier is deferred or executed, whatever the other bits of the entries
///   are. Harts may have kept the invalid entries.
/// * **Made invalid.** The function invalidates the range.
///
/// The entries are leaves at level 0. An entry that points to a table must not become valid here,
/// because the function does not order it after the stores to its table.
///
/// ```
/// use core::sync::atomic::{AtomicU64, Ordering};
/// use lazy_mmu::riscv64::descriptor::{KERNEL_DATA, Leaf, VALID};
/// use lazy_mmu::riscv64::{self, Mode};
/// # type Mmu = lazy_mmu::sim::Sim;
///
/// // Takes a page out of the linear map while its frame is free, to find stray accesses.
/// let page = Mode::Sv39.range(0xffff_ffd8_0000_0000, 1)?;
/// let slots = [AtomicU64::new(Leaf::page(0x8000_0000, KERNEL_DATA).0)];
/// let is_valid = || slots[0].load(Ordering::Relaxed) & VALID != 0;
/// riscv64::set_memory_valid::<Mmu>(&slots, page, false); // the frame is freed
/// assert!(!is_valid());
/// riscv64::set_memory_valid::<Mmu>(&slots, page, true); // and allocated again
/// assert!(is_valid());
/// # Ok::<(), lazy_mmu::BadRange>(())
/// ```
///
/// # Panics
///
/// If the number of slots is not the number of pages in `range`. The entries are unchanged then.
#[inline]
pub fn set_memory_valid<B: Backend>(slots: impl Slots, range: VirtualRange, valid: bool) {
    let slots = slots.atomics();
    assert!(
        slots.len() as u64 == range.pages(),
        "the range has {} pages, but {} entries were given",
        range.pages(),
        slots.len()
    );
    for slot in slots {
        // The change is atomic, because the hardware may set A or D in a valid entry at the same
        // time.
        let new = if valid {
            slot.fetch_or(VALID, Ordering::Relaxed) | VALID
        } else {
            slot.fetch_and(!VALID, Ordering::Relaxed) & !VALID
        };
        store::changed::<B>(slot, new);
    }
    if !valid {
        crate::section::invalidate::flush_tlb_kernel_range::<B>(range);
    } else if !slots.is_empty() {
        store::note_store::<B>();
    }
}

/// The methods of a section in a RISC-V kernel. The pages of the functions in
/// [`riscv64`](crate::riscv64) have examples.
#[cfg(target_arch = "riscv64")]
impl<L: Nesting, B: Backend> LazyMmu<'_, L, B> {
    /// Clears the entry in `slot`, which translates `range`: see [`riscv64::unmap`](unmap).
    ///
    /// # Panics
    ///
    /// As [`riscv64::unmap`](unmap).
    #[inline]
    pub fn unmap(&mut self, slot: impl Slot, range: VirtualRange) -> Unmapped<u64, B> {
        unmap(slot, range)
    }

    /// Clears the entry in `slot`, which points to a table: see
    /// [`riscv64::unmap_table`](unmap_table).
    ///
    /// # Panics
    ///
    /// As [`riscv64::unmap`](unmap).
    #[inline]
    pub fn unmap_table(&mut self, slot: impl Slot, range: VirtualRange) -> Unmapped<u64, B> {
        unmap_table(slot, range)
    }

    /// Clears the entries in `slots`: see [`riscv64::unmap_range`](unmap_range).
    ///
    /// # Panics
    ///
    /// As [`riscv64::unmap_range`](unmap_range).
    #[inline]
    pub fn unmap_range(&mut self, slots: impl Slots, range: VirtualRange) -> Unmapped<(), B> {
        unmap_range(slots, range)
    }

    /// Clears the entries in `slots` and keeps the old ones in `buffer`: see
    /// [`riscv64::unmap_range_into`](unmap_range_into).
    ///
    /// # Panics
    ///
    /// As [`riscv64::unmap_range_into`](unmap_range_into).
    #[inline]
    pub fn unmap_range_into<T: AsMut<[u64]> + 'static>(
        &mut self,
        slots: impl Slots,
        range: VirtualRange,
        buffer: T,
    ) -> Unmapped<T, B> {
        unmap_range_into(slots, range, buffer)
    }

    /// Replaces the entry in `slot` by `new`: see [`riscv64::replace`](replace).
    ///
    /// # Panics
    ///
    /// As [`riscv64::unmap`](unmap).
    #[inline]
    pub fn replace<D: Descriptor>(
        &mut self,
        slot: impl Slot,
        range: VirtualRange,
        new: D,
    ) -> Unmapped<u64, B> {
        replace(slot, range, new)
    }

    /// Replaces the valid entry in `slot` in three steps: see
    /// [`riscv64::break_before_make`](break_before_make). The barrier of the new entry is deferred.
    ///
    /// # Panics
    ///
    /// As [`riscv64::break_before_make`](break_before_make).
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

    /// Sets or clears V in each of `slots`: see [`riscv64::set_memory_valid`](set_memory_valid).
    ///
    /// # Panics
    ///
    /// As [`riscv64::set_memory_valid`](set_memory_valid).
    #[inline]
    pub fn set_memory_valid(&mut self, slots: impl Slots, range: VirtualRange, valid: bool) {
        set_memory_valid::<B>(slots, range, valid);
    }
}

#[cfg(target_arch = "riscv64")]
impl<T, B: Backend> Gather<'_, T, B> {
    /// Clears the entry in `slot`, which translates `range`, as [`riscv64::unmap`](unmap) does. The
    /// gather keeps the value that `value` makes of the old entry.
    ///
    /// # Errors
    ///
    /// [`Full`] if the gather is full. The entry is unchanged then.
    ///
    /// # Panics
    ///
    /// As [`riscv64::unmap`](unmap). If `value` panics, the entry is cleared, and is invalidated
    /// with the others.
    #[inline]
    pub fn unmap(
        &mut self,
        slot: impl Slot,
        range: VirtualRange,
        value: impl FnOnce(u64) -> T,
    ) -> Result<(), Full> {
        taking_away::gather::<Sv, T, B>(self, slot.atomic(), range, value)
    }

    /// Clears the entry in `slot`, which points to a table, as
    /// [`riscv64::unmap_table`](unmap_table) does. Otherwise as [`unmap`](Self::unmap).
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
        taking_away::gather_table::<Sv, T, B>(self, slot.atomic(), range, value)
    }
}

/// The tables of Sv39, Sv48 and Sv57, whose entries have the same sizes at the levels that they
/// share.
struct Sv;

impl Tables for Sv {
    fn shape(slots: &[AtomicU64], range: VirtualRange) -> Shape {
        assert!(
            range.page_shift() == PAGE_SHIFT,
            "RISC-V has pages of 4 KiB only: make the range with `riscv64::Mode`"
        );
        let levels = 0..=Mode::Sv57.root_level();
        let sizes = levels.filter_map(|level| Some((level, Mode::Sv57.entry_size(level)?)));
        let (level, size) = level_of(slots, range, sizes);
        Shape {
            may_be_tables: level > 0,
            size,
        }
    }

    #[inline]
    fn is_table(bits: u64) -> bool {
        is_table(bits)
    }
}
