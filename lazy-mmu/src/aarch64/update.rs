//! Atomic updates of an entry: they race with the hardware, and lose nothing that it notes.
//!
//! Separate from the plain stores because each of these says who may race with it. The names are
//! Linux's (arm64, `pgtable.h`, `mmu.c`, `pageattr.c`).
//!
//! * [`get_and_clear`], [`set_wrprotect`], [`test_and_clear_young`] race with the hardware (access
//!   flag, dirty state), and with each other. They need no pair, because they take away; the TLB
//!   invalidation that follows is the caller's.
//! * [`set_access_flags`], [`compare_exchange`] race with the same. The pair is deferred in a
//!   section, as the new value needs; before a table is linked they execute `dsb ishst`.
//! * [`LazyMmu::split_block`] races with the same, and defers the pair.
//! * [`LazyMmu::set_memory_valid`] races with the hardware. Made valid: the pair is deferred. Made
//!   invalid: it invalidates the TLBs.
//!
//! All of them refuse an entry of a [contiguous group](super::contiguous), which changes as a
//! whole: [`ContiguousGroup`](super::contiguous::ContiguousGroup) has the same operations for one.
//!
//! `set_wrprotect`, `test_and_clear_young` and `set_access_flags` leave an invalid entry as it is:
//! what software keeps there is its own.
//!
//! All are single 64-bit accesses, relaxed: a barrier orders them for a walker, and the lock for
//! another CPU that takes the same lock.

mod group;

use core::cell::Cell;
use core::sync::atomic::{AtomicU64, Ordering};

use super::contiguous;
use super::descriptor::{
    ACCESSED, ATTRIBUTES, CONTIGUOUS, DBM, LeafDescriptor, READ_ONLY, TABLE_OR_PAGE, Table, VALID,
};
use super::granule::PAGE_LEVEL;
use crate::protocol::backend::Backend;
use crate::protocol::range::VirtualRange;
use crate::section::descriptor::Descriptor;
use crate::section::guard::LazyMmu;
use crate::section::nesting::Nesting;
use crate::section::slot::{Slot, Slots};
use crate::section::store;

/// Clears the entry, and returns what it was (Linux: `ptep_get_and_clear`).
///
/// One atomic exchange, so that an access flag or a dirty state that the hardware sets at the same
/// time is either in the result, or was never set: the hardware does not change an invalid entry.
/// For leaves and intermediate tables no pair is needed, and none becomes pending; a top-level
/// entry is cleared by a store of [`TopLevel::INVALID`](super::descriptor::TopLevel), or taken away
/// by [`unmap_table`](LazyMmu::unmap_table).
///
/// # Panics
///
/// If the entry is in a [contiguous group](super::contiguous); nothing was changed. (A table
/// descriptor with its bit 52 set, which hardware ignores, looks like one: take it away by
/// [`unmap`](LazyMmu::unmap).)
#[inline]
pub fn get_and_clear<B: Backend>(slot: impl Slot) -> u64 {
    let slot = slot.atomic();
    contiguous::refuse_member(slot.load(Ordering::Relaxed));
    clear::<B>(slot)
}

/// [`get_and_clear`], of an entry that may be in a contiguous group.
#[inline]
pub(crate) fn clear<B: Backend>(slot: &AtomicU64) -> u64 {
    let old = slot.swap(0, Ordering::Relaxed);
    store::changed::<B>(slot, 0);
    old
}

/// Makes the leaf read-only, and returns what it was (Linux: `ptep_set_wrprotect`).
///
/// With hardware management of dirty state, a leaf with DBM that is not READ_ONLY is dirty: that is
/// kept in `software_dirty`, the kernel's own bit of the descriptor (Linux: bit 55), and both DBM
/// and the write permission go. A kernel without one gives 0, and takes the dirty state from the
/// result. No pair is needed, and none becomes pending; a TLB that still lets writes through is the
/// caller's matter.
///
/// # Panics
///
/// If the entry is in a [contiguous group](super::contiguous), or if `software_dirty` has bits of
/// the descriptor's type or address; nothing was changed.
#[inline]
pub fn set_wrprotect<B: Backend>(slot: impl Slot, software_dirty: u64) -> u64 {
    wrprotect::<B>(slot.atomic(), software_dirty, contiguous::refuse_member)
}

/// [`set_wrprotect`], if `check` accepts the old entry.
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

/// Clears the access flag, and returns what the leaf was (Linux: `ptep_test_and_clear_young`, which
/// returns whether it was set).
///
/// The other bits stay as the hardware has them. No pair is needed, and none becomes pending.
///
/// # Panics
///
/// If the entry is in a [contiguous group](super::contiguous); nothing was changed.
#[inline]
pub fn test_and_clear_young<B: Backend>(slot: impl Slot) -> u64 {
    clear_young::<B>(slot.atomic(), contiguous::refuse_member)
}

/// [`test_and_clear_young`], if `check` accepts the old entry.
#[inline]
pub(crate) fn clear_young<B: Backend>(slot: &AtomicU64, check: impl Fn(u64)) -> u64 {
    update::<B>(slot, check, |old| old & !ACCESSED).0
}

/// Adds what `wanted` permits to a valid leaf: the access flag, the write permission, DBM, and
/// those of its bits that are in `software_bits`; never takes any away (as Linux's
/// `ptep_set_access_flags`). Returns whether the entry was changed.
///
/// A compare-exchange loop: what the hardware sets at the same time is kept. If the entry was
/// changed, the pair is needed as the rule of the new leaf says, which is of the same kind as
/// `wanted`; for user leaves, which Linux changes in this way, none is. A TLB may hold the narrower
/// permission, and the fault is then spurious: the caller invalidates where that cannot be handled.
///
/// # Panics
///
/// If the entry is in a [contiguous group](super::contiguous), if `software_bits` has bits of the
/// descriptor's type or address, or if a method of the descriptor's panics; nothing was changed.
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

/// The change itself: whether there was one, and whether the pair is needed.
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
        // Asked before the exchange: a descriptor that panics must not leave a change without its
        // pair.
        needed.set(D::leaf(new).needs_barrier());
        new
    });
    (old != new, old != new && needed.get())
}

#[inline]
fn check_software_bits(bits: u64) {
    assert!(
        bits & !ATTRIBUTES == 0,
        "software has no bits of its own among those of the type and the address"
    );
}

/// What [`set_access_flags`] makes of an entry.
///
/// # Panics
///
/// If `software_bits` has bits of the descriptor's type or address.
#[inline]
pub(crate) fn access_flags(wanted: u64, software_bits: u64) -> impl Fn(u64) -> u64 {
    check_software_bits(software_bits);
    move |old| {
        // READ_ONLY permits by being clear: it stays only if both have it.
        let read_only = old & wanted & READ_ONLY;
        let added = wanted & (ACCESSED | DBM | software_bits);
        (old & !READ_ONLY) | read_only | added
    }
}

/// Stores `new` if the entry is `current`; returns the old value, as an error if it was another.
///
/// For a change that was computed from the old value while the hardware, or another CPU, may change
/// it. If it is stored, the pair is needed as `new` says, and deferred in a section of the calling
/// thread.
///
/// # Errors
///
/// The entry's value, if that is not `current`: nothing was stored.
///
/// # Panics
///
/// If `current` is in a [contiguous group](super::contiguous); nothing was changed.
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

/// The exchange itself; whether the pair is needed.
#[inline]
fn exchange<B: Backend, D: Descriptor>(
    slot: &AtomicU64,
    current: D,
    new: D,
) -> Result<(u64, bool), u64> {
    // A descriptor that panics does so before the store.
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

/// Replaces a valid entry that `check` accepts by `change` of it; returns the old one and the new
/// one. An invalid entry stays.
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

impl<L: Nesting, B: Backend> LazyMmu<'_, L, B> {
    /// [`set_access_flags`], deferred into this section.
    ///
    /// # Panics
    ///
    /// As that function.
    #[inline]
    pub fn set_access_flags<D: LeafDescriptor>(
        &mut self,
        slot: impl Slot,
        wanted: D,
        software_bits: u64,
    ) -> bool {
        let (changed, needed) = add_access_flags::<B, D>(slot.atomic(), wanted, software_bits);
        if needed {
            self.note_store();
        }
        changed
    }

    /// [`compare_exchange`], deferred into this section.
    ///
    /// # Errors
    ///
    /// The entry's value, if that is not `current`: nothing was stored.
    ///
    /// # Panics
    ///
    /// If `current` is in a [contiguous group](super::contiguous); nothing was changed.
    #[inline]
    pub fn compare_exchange<D: Descriptor>(
        &mut self,
        slot: impl Slot,
        current: D,
        new: D,
    ) -> Result<u64, u64> {
        let (old, needed) = exchange::<B, D>(slot.atomic(), current, new)?;
        if needed {
            self.note_store();
        }
        Ok(old)
    }

    /// Replaces the valid block in `parent` by a table: fills `children`, the entries of that
    /// table, with `child(block, i)`, and exchanges the block for `table` (Linux, arm64:
    /// `split_pmd`, `split_pud`). Returns the block.
    ///
    /// The exchange is atomic. If the hardware has changed the block meanwhile (accessed, dirty),
    /// or other code has, `child` is called again for every entry, with the new block; so nothing
    /// of that is lost.
    ///
    /// Where the children translate what the block did, to the same addresses, no TLB invalidation
    /// is needed; the pair of the parent's store is deferred. The barrier between the children and
    /// the parent is not.
    ///
    /// # Errors
    ///
    /// The parent's value, if it is not a valid block, or no longer: other code has split it, say.
    /// The parent was not changed; children may have been filled.
    ///
    /// # Safety
    ///
    /// * `children` are the entries of the table to which `table` points, a valid descriptor; no
    ///   walker reaches them before.
    /// * They translate the block's range as the block did, or nobody uses that range until it has
    ///   been invalidated: a TLB may hold the block, though nobody has used it.
    /// * Every CPU that runs by these tables tolerates the change from a block to a table without
    ///   break-before-make: FEAT_BBM level 2, without conflict aborts. Else use
    ///   [`break_before_make`](Self::break_before_make).
    ///
    /// # Panics
    ///
    /// If `child` does, or if the block is in a [contiguous group](super::contiguous): the parent
    /// is as it was.
    #[inline]
    pub unsafe fn split_block<D: Descriptor>(
        &mut self,
        parent: impl Slot,
        children: impl Slots,
        table: Table,
        mut child: impl FnMut(u64, usize) -> D,
    ) -> Result<u64, u64> {
        let (parent, children) = (parent.atomic(), children.atomics());
        let mut block = parent.load(Ordering::Relaxed);
        while block & (VALID | TABLE_OR_PAGE) == VALID {
            contiguous::refuse_member(block);
            for (i, slot) in children.iter().enumerate() {
                store::put_descriptor::<B, D>(slot, child(block, i));
            }
            match self.compare_exchange(parent, Table(block), table) {
                Err(now) => block = now,
                done => return done,
            }
        }
        Err(block)
    }

    /// Sets or clears VALID in each of `slots`, which are the pages of `range` in the linear map;
    /// the other bits stay (for what Linux does in arm64's `set_memory_valid`).
    ///
    /// Made valid: where the entries were invalid no TLB has them, and the pair at leave is all the
    /// synchronisation there is; it is due whatever the entries' other bits say, which are those of
    /// page descriptors. Made invalid: the range is removed from the TLBs, which settles what is
    /// pending.
    ///
    /// The entries are page descriptors, at level 3: a table descriptor that becomes valid here is
    /// not ordered. A contiguous group that was made invalid here is still a group here; the other
    /// operations take its entries for invalid ones.
    ///
    /// # Panics
    ///
    /// If `range` has another number of pages than there are slots, or cuts a [contiguous
    /// group](super::contiguous), valid or not; nothing was changed.
    #[inline]
    pub fn set_memory_valid(&mut self, slots: impl Slots, range: VirtualRange, valid: bool) {
        let slots = slots.atomics();
        assert!(
            slots.len() as u64 == range.pages(),
            "{} entries cannot be the {} pages of the range",
            slots.len(),
            range.pages()
        );
        contiguous::refuse_cut(slots, range, PAGE_LEVEL, CONTIGUOUS);
        for slot in slots {
            // Atomically: in a valid entry the hardware may set the access flag or the dirty state
            // meanwhile.
            let new = if valid {
                slot.fetch_or(VALID, Ordering::Relaxed) | VALID
            } else {
                slot.fetch_and(!VALID, Ordering::Relaxed) & !VALID
            };
            store::changed::<B>(slot, new);
        }
        if !valid {
            self.flush_tlb_kernel_range(range);
        } else if !slots.is_empty() {
            self.note_store();
        }
    }
}
