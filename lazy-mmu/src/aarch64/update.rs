//! Atomic updates of an entry. They race with the hardware, and keep the flags that it sets.
//!
//! The hardware sets the access flag and the dirty state in valid entries at any time. Each
//! function changes an entry by one atomic 64-bit access, or by a loop of compare-exchanges. A flag
//! that the hardware sets at the same time is therefore not lost. The names are Linux's (arm64,
//! `pgtable.h`, `mmu.c`, `pageattr.c`).
//!
//! The module is separate from the plain stores, because each function says who may race with it.
//!
//! * [`get_and_clear`], [`set_wrprotect`] and [`test_and_clear_young`] may race with the hardware,
//!   with each other, and with the functions of the next two groups. They do not need the [barrier
//!   pair](super::descriptor), because they remove rights. The TLB invalidation that follows is
//!   the caller's duty.
//! * [`set_access_flags`] and [`compare_exchange`] may race with the same. The new value decides
//!   whether the pair is needed, and a section defers it. A table descriptor is stored after a `dsb
//!   ishst`.
//! * [`LazyMmu::split_block`] may race with the same. It defers the pair.
//! * [`LazyMmu::set_memory_valid`] may race with the hardware only. If it makes entries valid, it
//!   defers the pair. If it makes them invalid, it invalidates the TLBs.
//!
//! All of them panic on an entry of a [contiguous group](super::contiguous), which changes as a
//! whole. [`ContiguousGroup`](super::contiguous::ContiguousGroup) has the operations for a group.
//!
//! `set_wrprotect`, `test_and_clear_young` and `set_access_flags` do not change an invalid entry,
//! because its other bits belong to software.
//!
//! The accesses are relaxed. A barrier orders them for the walkers, and a lock orders them for
//! another CPU that takes the same lock.
//!
//! ```
//! use core::sync::atomic::AtomicU64;
//! use lazy_mmu::aarch64::descriptor::{ACCESSED, Leaf, READ_ONLY, USER_DATA};
//! use lazy_mmu::aarch64::update;
//! # type Mmu = lazy_mmu::sim::Sim;
//!
//! let slot = AtomicU64::new(Leaf::page(0x4000_0000, USER_DATA).0);
//!
//! // Was the page accessed? The TLB invalidation is the caller's duty.
//! assert_ne!(update::test_and_clear_young::<Mmu>(&slot) & ACCESSED, 0);
//!
//! // The page becomes read-only, and is then accessed and written again.
//! update::set_wrprotect::<Mmu>(&slot, 0);
//! let wanted = Leaf::page(0x4000_0000, USER_DATA);
//! assert!(update::set_access_flags::<Mmu, _>(&slot, wanted, 0));
//!
//! // The page goes. The result has all that the hardware wrote.
//! let old = update::get_and_clear::<Mmu>(&slot);
//! assert_eq!(old & (ACCESSED | READ_ONLY), ACCESSED);
//! ```

mod group;
#[cfg(any(doc, not(target_arch = "riscv64")))]
mod guard;
#[cfg(not(target_arch = "riscv64"))]
mod memory_valid;

use core::cell::Cell;
use core::sync::atomic::{AtomicU64, Ordering};

use super::contiguous;
use super::descriptor::{ACCESSED, ATTRIBUTES, DBM, LeafDescriptor, READ_ONLY, VALID};
use crate::protocol::backend::Backend;
use crate::section::descriptor::Descriptor;
#[cfg(doc)]
use crate::section::guard::LazyMmu;
use crate::section::slot::Slot;
use crate::section::store;
use crate::section::taking_away;

/// Clears the entry, and returns the old one (Linux: `ptep_get_and_clear`).
///
/// The function exchanges the entry atomically. If the hardware sets the access flag or the dirty
/// state at the same time, the flag is in the result. The hardware does not set a flag after the
/// exchange, because it does not change an invalid entry. For leaves and intermediate tables the
/// barrier pair is not needed, and does not become pending.
///
/// Clear a top-level entry by a store of [`TopLevel::INVALID`](super::descriptor::TopLevel), or
/// remove it by [`unmap_table`](LazyMmu::unmap_table).
///
/// ```
/// use core::sync::atomic::{AtomicU64, Ordering};
/// use lazy_mmu::Scope;
/// use lazy_mmu::aarch64::descriptor::{DBM, Leaf, READ_ONLY, USER_DATA};
/// use lazy_mmu::aarch64::{Granule, update};
/// # type Mmu = lazy_mmu::sim::Sim;
///
/// let slot = AtomicU64::new(Leaf::page(0x4000_0000, USER_DATA | DBM).0);
/// let old = update::get_and_clear::<Mmu>(&slot);
/// assert_eq!(slot.load(Ordering::Relaxed), 0);
/// # assert_eq!(lazy_mmu::sim::pairs(&lazy_mmu::sim::take_trace()), 0);
/// assert_eq!(old & (DBM | READ_ONLY), DBM); // The page is dirty.
///
/// // The caller invalidates the TLBs before it uses the frame again.
/// let page = Granule::Kib4.range(0x7fff_0000, 1)?.of_asid(7);
/// lazy_mmu::invalidate::<Mmu>(page, Scope::PAGES);
/// # Ok::<(), lazy_mmu::BadRange>(())
/// ```
///
/// # Panics
///
/// If the entry is in a [contiguous group](super::contiguous). The entry is unchanged then. A table
/// descriptor with bit 52 set, which the hardware ignores, looks like a member of a group. Remove
/// it by [`unmap`](LazyMmu::unmap).
#[inline]
pub fn get_and_clear<B: Backend>(slot: impl Slot) -> u64 {
    let slot = slot.atomic();
    contiguous::refuse_member(slot.load(Ordering::Relaxed));
    taking_away::take::<B>(slot)
}

/// Makes the leaf read-only, and returns the old one (Linux: `ptep_set_wrprotect`).
///
/// With hardware management of dirty state, a leaf with DBM and without READ_ONLY is dirty. The
/// function sets `software_dirty` in such a leaf. It sets READ_ONLY and clears DBM in every leaf.
/// `software_dirty` is the kernel's own bit of the descriptor (Linux: bit 55). A kernel without
/// such a bit passes 0, and takes the dirty state from the result.
///
/// The barrier pair is not needed, and does not become pending. A TLB may still permit writes: the
/// caller invalidates it.
///
/// ```
/// use core::sync::atomic::{AtomicU64, Ordering};
/// use lazy_mmu::aarch64::descriptor::{DBM, Leaf, USER_DATA, USER_READ_ONLY};
/// use lazy_mmu::aarch64::update;
/// # type Mmu = lazy_mmu::sim::Sim;
///
/// /// The kernel's own bit for a dirty page.
/// const DIRTY: u64 = 1 << 55;
///
/// // The page is dirty, because DBM is set and READ_ONLY is clear.
/// let slot = AtomicU64::new(Leaf::page(0x4000_0000, USER_DATA | DBM).0);
/// update::set_wrprotect::<Mmu>(&slot, DIRTY);
/// let read_only = Leaf::page(0x4000_0000, USER_READ_ONLY | DIRTY);
/// assert_eq!(slot.load(Ordering::Relaxed), read_only.0);
/// # assert_eq!(lazy_mmu::sim::pairs(&lazy_mmu::sim::take_trace()), 0);
/// ```
///
/// # Panics
///
/// If the entry is in a [contiguous group](super::contiguous), or if `software_dirty` has bits of
/// the descriptor's type or address. The entry is unchanged then.
#[inline]
pub fn set_wrprotect<B: Backend>(slot: impl Slot, software_dirty: u64) -> u64 {
    wrprotect::<B>(slot.atomic(), software_dirty, contiguous::refuse_member)
}

/// As [`set_wrprotect`], if `check` accepts the old entry.
#[inline]
pub(crate) fn wrprotect<B: Backend>(
    slot: &AtomicU64,
    software_dirty: u64,
    check: impl Fn(u64),
) -> u64 {
    check_software_bits(software_dirty);
    update::<B>(slot, check, |old| {
        let dirty = if old & (DBM | READ_ONLY) == DBM {
            software_dirty
        } else {
            0
        };
        (old | READ_ONLY | dirty) & !DBM
    })
    .0
}

/// Clears the access flag, and returns the old leaf (Linux: `ptep_test_and_clear_young`, which
/// returns whether the flag was set).
///
/// The other bits stay as the hardware has them. The barrier pair is not needed, and does not
/// become pending.
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::aarch64::descriptor::{ACCESSED, Leaf, USER_DATA};
/// use lazy_mmu::aarch64::update;
/// # type Mmu = lazy_mmu::sim::Sim;
///
/// /// Returns whether the page has been accessed since the last call.
/// fn is_young(slot: &AtomicU64) -> bool {
///     update::test_and_clear_young::<Mmu>(slot) & ACCESSED != 0
/// }
///
/// let slot = AtomicU64::new(Leaf::page(0x4000_0000, USER_DATA).0);
/// assert!(is_young(&slot));
/// assert!(!is_young(&slot));
/// # assert_eq!(lazy_mmu::sim::pairs(&lazy_mmu::sim::take_trace()), 0);
/// ```
///
/// # Panics
///
/// If the entry is in a [contiguous group](super::contiguous). The entry is unchanged then.
#[inline]
pub fn test_and_clear_young<B: Backend>(slot: impl Slot) -> u64 {
    clear_young::<B>(slot.atomic(), contiguous::refuse_member)
}

/// As [`test_and_clear_young`], if `check` accepts the old entry.
#[inline]
pub(crate) fn clear_young<B: Backend>(slot: &AtomicU64, check: impl Fn(u64)) -> u64 {
    update::<B>(slot, check, |old| old & !ACCESSED).0
}

/// Adds the rights of `wanted` to a valid leaf, and returns whether the entry was changed (as
/// Linux's `ptep_set_access_flags`).
///
/// The function adds the access flag, the write permission, DBM, and those bits of `wanted` that
/// are in `software_bits`. It does not take a right away. It is a compare-exchange loop, so it
/// keeps the flags that the hardware sets at the same time.
///
/// If the entry was changed, the rule of the new leaf decides whether the barrier pair is needed.
/// The new leaf has the type of `wanted`. User leaves, for which Linux has this function, do not
/// need the pair. A TLB may still hold the old rights, and the next access may fault although the
/// entry permits it. The caller invalidates the TLB where such a fault cannot be handled.
///
/// ```
/// use core::sync::atomic::{AtomicU64, Ordering};
/// use lazy_mmu::aarch64::descriptor::{ACCESSED, Leaf, USER_DATA, USER_READ_ONLY};
/// use lazy_mmu::aarch64::update;
/// # type Mmu = lazy_mmu::sim::Sim;
///
/// // The handler of a write fault permits the access.
/// let slot = AtomicU64::new(Leaf::page(0x4000_0000, USER_READ_ONLY & !ACCESSED).0);
/// let wanted = Leaf::page(0x4000_0000, USER_DATA);
/// assert!(update::set_access_flags::<Mmu, _>(&slot, wanted, 0));
/// assert_eq!(slot.load(Ordering::Relaxed), wanted.0);
///
/// // Another CPU has had the same fault. The entry has the rights already.
/// assert!(!update::set_access_flags::<Mmu, _>(&slot, wanted, 0));
/// # assert_eq!(lazy_mmu::sim::pairs(&lazy_mmu::sim::take_trace()), 0);
/// ```
///
/// # Panics
///
/// * If the entry is in a [contiguous group](super::contiguous).
/// * If `software_bits` has bits of the descriptor's type or address.
/// * If a method of the descriptor panics.
///
/// The entry is unchanged then.
#[inline]
pub fn set_access_flags<B: Backend, D: LeafDescriptor>(
    slot: impl Slot,
    wanted: D,
    software_bits: u64,
) -> bool {
    let (changed, needed) = add_access_flags::<B, D>(slot.atomic(), wanted, software_bits);
    if needed {
        store::note_store::<B>();
    }
    changed
}

/// Changes the entry. Returns whether it was changed, and whether the pair is needed.
#[inline]
fn add_access_flags<B: Backend, D: LeafDescriptor>(
    slot: &AtomicU64,
    wanted: D,
    software_bits: u64,
) -> (bool, bool) {
    let add = access_flags(wanted.bits(), software_bits);
    let needed = Cell::new(false);
    let (old, new) = update::<B>(slot, contiguous::refuse_member, |old| {
        let new = add(old);
        // The rule is asked before the exchange. If the descriptor panics, the entry is unchanged
        // and a pair is not lost.
        needed.set(D::leaf(new).needs_barrier());
        new
    });
    (old != new, old != new && needed.get())
}

#[inline]
fn check_software_bits(bits: u64) {
    assert!(
        bits & !ATTRIBUTES == 0,
        "the software bits must not overlap the type and the address of the descriptor"
    );
}

/// Returns the function that adds the rights for [`set_access_flags`].
///
/// # Panics
///
/// If `software_bits` has bits of the descriptor's type or address.
#[inline]
pub(crate) fn access_flags(wanted: u64, software_bits: u64) -> impl Fn(u64) -> u64 {
    check_software_bits(software_bits);
    move |old| {
        // A clear READ_ONLY permits writing. The bit stays set only if both have it set.
        let read_only = old & wanted & READ_ONLY;
        let added = wanted & (ACCESSED | DBM | software_bits);
        (old & !READ_ONLY) | read_only | added
    }
}

/// Stores `new` if the entry is `current`, and returns the old value.
///
/// It is for a new value that is computed from the old one, while the hardware or another CPU may
/// change the entry. If the function stores `new`, the rule of `new` decides whether the barrier
/// pair is needed. In a section of the calling thread the pair is deferred.
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::aarch64::descriptor::{Leaf, PXN, KERNEL_TEXT};
/// use lazy_mmu::aarch64::update;
/// # type Mmu = lazy_mmu::sim::Sim;
///
/// // Makes a page not executable, unless another CPU changes the entry first.
/// let page = Leaf::page(0x4000_0000, KERNEL_TEXT);
/// let slot = AtomicU64::new(page.0);
/// let new = Leaf::page(0x4000_0000, KERNEL_TEXT | PXN);
/// assert_eq!(update::compare_exchange::<Mmu, _>(&slot, page, new), Ok(page.0));
///
/// // The entry is no longer `page`.
/// assert_eq!(update::compare_exchange::<Mmu, _>(&slot, page, new), Err(new.0));
/// ```
///
/// # Errors
///
/// The value of the entry if it is not `current`. The entry is unchanged then.
///
/// # Panics
///
/// If `current` is in a [contiguous group](super::contiguous). The entry is unchanged then.
#[inline]
pub fn compare_exchange<B: Backend, D: Descriptor>(
    slot: impl Slot,
    current: D,
    new: D,
) -> Result<u64, u64> {
    let (old, needed) = exchange::<B, D>(slot.atomic(), current, new)?;
    if needed {
        store::note_store::<B>();
    }
    Ok(old)
}

/// Exchanges the entry. Returns the old value, and whether the pair is needed.
#[inline]
fn exchange<B: Backend, D: Descriptor>(
    slot: &AtomicU64,
    current: D,
    new: D,
) -> Result<(u64, bool), u64> {
    // The methods of the descriptors run before the store, because they may panic.
    let is_table = current.points_to_table();
    let current = current.bits();
    if !is_table {
        contiguous::refuse_member(current);
    }
    let (new, needed) = store::prepare::<B, D>(new);
    let old = slot.compare_exchange(current, new, Ordering::Relaxed, Ordering::Relaxed)?;
    store::changed::<B>(slot, new);
    Ok((old, needed))
}

/// Replaces a valid entry that `check` accepts by `change` of it. Returns the old and the new
/// entry. An invalid entry stays unchanged.
#[inline]
pub(crate) fn update<B: Backend>(
    slot: &AtomicU64,
    check: impl Fn(u64),
    change: impl Fn(u64) -> u64,
) -> (u64, u64) {
    let mut old = slot.load(Ordering::Relaxed);
    loop {
        if old & VALID == 0 {
            return (old, old);
        }
        check(old);
        let new = change(old);
        match slot.compare_exchange_weak(old, new, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => {
                store::changed::<B>(slot, new);
                return (old, new);
            }
            Err(now) => old = now,
        }
    }
}
