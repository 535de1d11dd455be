//! The atomic updates of a whole contiguous group.

use core::sync::atomic::{AtomicU64, Ordering};

use super::super::contiguous::ContiguousGroup;
use super::super::descriptor::{ACCESSED, DBM, LeafDescriptor, READ_ONLY};
#[cfg(doc)]
use crate::aarch64::update;
use crate::protocol::backend::Backend;
use crate::section::store;

impl ContiguousGroup<'_> {
    /// Clears all entries: see [`update::get_and_clear`]. Returns the first entry, with the access
    /// flag and the dirty state of all entries.
    ///
    /// ```
    /// use core::sync::atomic::{AtomicU64, Ordering};
    /// use lazy_mmu::aarch64::Granule;
    /// use lazy_mmu::aarch64::contiguous::ContiguousGroup;
    /// use lazy_mmu::aarch64::descriptor::{ACCESSED, CONTIGUOUS, Leaf, USER_DATA};
    /// # type Mmu = lazy_mmu::sim::Sim;
    ///
    /// let table: [AtomicU64; 16] = core::array::from_fn(|i| {
    ///     let attributes = USER_DATA & !ACCESSED | CONTIGUOUS;
    ///     AtomicU64::new(Leaf::page(0x4000_0000 + 4096 * i as u64, attributes).0)
    /// });
    /// // The hardware sets the access flag in one entry only.
    /// table[5].fetch_or(ACCESSED, Ordering::Relaxed);
    ///
    /// let old = ContiguousGroup::new(Granule::Kib4, 3, &table)?.get_and_clear::<Mmu>();
    /// assert_eq!(Leaf(old).address(Granule::Kib4), 0x4000_0000);
    /// assert_ne!(old & ACCESSED, 0);
    /// # assert!(table.iter().all(|it| it.load(Ordering::Relaxed) == 0));
    /// # Ok::<(), lazy_mmu::aarch64::contiguous::NotAGroup>(())
    /// ```
    #[inline]
    pub fn get_and_clear<B: Backend>(self) -> u64 {
        self.fold(crate::section::taking_away::take::<B>)
    }

    /// Makes all entries read-only: see [`update::set_wrprotect`]. Returns the first entry, with
    /// the access flag and the dirty state of all entries. [`ContiguousGroup`] shows an example.
    ///
    /// # Panics
    ///
    /// If `software_dirty` has bits of the descriptor's type or address. The group is unchanged
    /// then.
    #[inline]
    pub fn set_wrprotect<B: Backend>(self, software_dirty: u64) -> u64 {
        self.fold(|slot| super::wrprotect::<B>(slot, software_dirty, |_| {}))
    }

    /// Clears the access flag of all entries: see [`update::test_and_clear_young`]. Returns the
    /// first entry, with the access flag and the dirty state of all entries.
    ///
    /// ```
    /// use core::sync::atomic::AtomicU64;
    /// use lazy_mmu::aarch64::Granule;
    /// use lazy_mmu::aarch64::contiguous::{ContiguousGroup, NotAGroup};
    /// use lazy_mmu::aarch64::descriptor::{ACCESSED, CONTIGUOUS, Leaf, USER_DATA};
    /// # type Mmu = lazy_mmu::sim::Sim;
    ///
    /// /// Returns whether one of the 16 pages has been accessed since the last call.
    /// fn is_young(table: &[AtomicU64; 16]) -> Result<bool, NotAGroup> {
    ///     let group = ContiguousGroup::new(Granule::Kib4, 3, table)?;
    ///     Ok(group.test_and_clear_young::<Mmu>() & ACCESSED != 0)
    /// }
    ///
    /// let table: [AtomicU64; 16] = core::array::from_fn(|i| {
    ///     AtomicU64::new(Leaf::page(0x4000_0000 + 4096 * i as u64, USER_DATA | CONTIGUOUS).0)
    /// });
    /// assert!(is_young(&table)?);
    /// assert!(!is_young(&table)?);
    /// # Ok::<(), NotAGroup>(())
    /// ```
    #[inline]
    pub fn test_and_clear_young<B: Backend>(self) -> u64 {
        self.fold(|slot| super::clear_young::<B>(slot, |_| {}))
    }

    /// Adds the rights of `wanted` to each entry: see [`update::set_access_flags`]. Returns whether
    /// an entry was changed.
    ///
    /// ```
    /// use core::sync::atomic::AtomicU64;
    /// use lazy_mmu::aarch64::Granule;
    /// use lazy_mmu::aarch64::contiguous::{ContiguousGroup, NotAGroup};
    /// use lazy_mmu::aarch64::descriptor::{CONTIGUOUS, Leaf, USER_DATA, USER_READ_ONLY};
    /// # type Mmu = lazy_mmu::sim::Sim;
    ///
    /// let table: [AtomicU64; 16] = core::array::from_fn(|i| {
    ///     AtomicU64::new(Leaf::page(0x4000_0000 + 4096 * i as u64, USER_READ_ONLY | CONTIGUOUS).0)
    /// });
    /// let group = ContiguousGroup::new(Granule::Kib4, 3, &table)?;
    /// // The pages become writable. The addresses of the entries stay.
    /// let wanted = Leaf::page(0x4000_0000, USER_DATA | CONTIGUOUS);
    /// assert!(group.set_access_flags::<Mmu, _>(wanted, 0));
    /// assert!(!group.set_access_flags::<Mmu, _>(wanted, 0));
    /// # Ok::<(), NotAGroup>(())
    /// ```
    ///
    /// # Panics
    ///
    /// If `software_bits` has bits of the descriptor's type or address, or if a method of the
    /// descriptor panics. The group is unchanged then.
    #[inline]
    pub fn set_access_flags<B: Backend, D: LeafDescriptor>(
        self,
        wanted: D,
        software_bits: u64,
    ) -> bool {
        let add = super::access_flags(wanted.bits(), software_bits);
        // The rule is asked for all entries before one is changed. If the descriptor panics, the
        // group is unchanged.
        let mut needed = false;
        for slot in self.slots() {
            needed |= D::leaf(add(slot.load(Ordering::Relaxed))).needs_barrier();
        }
        let mut changed = false;
        for slot in self.slots() {
            let (old, new) = super::update::<B>(slot, |_| {}, &add);
            changed |= old != new;
        }
        if changed && needed {
            store::note_store::<B>();
        }
        changed
    }

    /// Applies `change` to each entry. Returns the first old entry, with the access flag and the
    /// dirty state of all old entries.
    fn fold(self, change: impl Fn(&AtomicU64) -> u64) -> u64 {
        self.slots()
            .iter()
            .map(change)
            .reduce(|first, other| {
                let dirty = other & (DBM | READ_ONLY) == DBM;
                let first = first | other & ACCESSED;
                if dirty { first & !READ_ONLY } else { first }
            })
            .unwrap_or(0)
    }
}
