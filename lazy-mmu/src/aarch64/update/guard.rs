//! The updates of entries in a section.
//!
//! The file is separate from the functions, because a RISC-V kernel does not have these methods:
//! its entries have other bits.

use core::sync::atomic::Ordering;

#[cfg(doc)]
use super::compare_exchange;
#[cfg(doc)]
use super::set_access_flags;
use super::{add_access_flags, contiguous, exchange};
use crate::aarch64::descriptor::{LeafDescriptor, TABLE_OR_PAGE, Table, VALID};
use crate::protocol::backend::Backend;
use crate::section::descriptor::Descriptor;
use crate::section::guard::LazyMmu;
use crate::section::nesting::Nesting;
use crate::section::slot::{Slot, Slots};
use crate::section::store;

impl<L: Nesting, B: Backend> LazyMmu<'_, L, B> {
    /// Adds the rights of `wanted` to a valid leaf: see
    /// [`update::set_access_flags`](set_access_flags). The barrier pair is deferred into this
    /// section.
    ///
    /// ```
    /// use core::sync::atomic::AtomicU64;
    /// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, KERNEL_READ_ONLY, Leaf};
    /// use lazy_mmu::sim;
    ///
    /// type Mmu = sim::Sim;
    ///
    /// let slot = AtomicU64::new(Leaf::page(0x4000_0000, KERNEL_READ_ONLY).0);
    /// lazy_mmu::with::<Mmu, _>(|mmu| {
    ///     assert!(mmu.set_access_flags(&slot, Leaf::page(0x4000_0000, KERNEL_DATA), 0));
    ///     assert!(sim::is_pending::<Mmu>()); // A kernel leaf needs the pair.
    /// });
    /// assert!(sim::is_settled(&slot));
    /// ```
    ///
    /// # Panics
    ///
    /// As [`update::set_access_flags`](set_access_flags).
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

    /// Stores `new` if the entry is `current`, and returns the old value: see
    /// [`update::compare_exchange`](compare_exchange). The barrier pair is deferred into this
    /// section.
    ///
    /// ```
    /// use core::sync::atomic::AtomicU64;
    /// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, KERNEL_READ_ONLY, Leaf};
    /// use lazy_mmu::sim::{pairs, take_trace};
    ///
    /// type Mmu = lazy_mmu::sim::Sim;
    ///
    /// // Makes two pages writable, unless another CPU changes an entry first.
    /// let pages = [0x4000_0000, 0x4000_1000].map(|address| {
    ///     [KERNEL_READ_ONLY, KERNEL_DATA].map(|attributes| Leaf::page(address, attributes))
    /// });
    /// let slots = pages.map(|[old, _]| AtomicU64::new(old.0));
    /// lazy_mmu::with::<Mmu, _>(|mmu| {
    ///     for (slot, [old, new]) in slots.iter().zip(pages) {
    ///         assert_eq!(mmu.compare_exchange(slot, old, new), Ok(old.0));
    ///     }
    /// });
    /// assert_eq!(pairs(&take_trace()), 1); // for both pages
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

    /// Replaces the valid block in `parent` by a table, and returns the block (as Linux's
    /// `split_pmd` and `split_pud`, arm64).
    ///
    /// The function stores `child(block, i)` in each of `children`, the entries of the new table.
    /// It then exchanges the block for `table` atomically. If the hardware or other code has
    /// changed the block in the meantime, the function calls `child` again for every entry, with
    /// the new block. It therefore does not lose an access flag or a dirty state.
    ///
    /// If the children translate the block's range to the same addresses, a TLB invalidation is not
    /// needed. The barrier pair of the parent's store is deferred. The `dsb ishst` between the
    /// children and the parent is not deferred.
    ///
    /// ```
    /// use core::sync::atomic::AtomicU64;
    /// use lazy_mmu::aarch64::Granule;
    /// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf, Table};
    /// # type Mmu = lazy_mmu::sim::Sim;
    ///
    /// let block = Leaf::new(Granule::Kib4, 2, 0x4000_0000, KERNEL_DATA)?;
    /// let parent = AtomicU64::new(block.0);
    /// let children = [const { AtomicU64::new(0) }; 512];
    /// let table = Table::at(0x4800_0000); // the physical address of `children`
    ///
    /// let old = lazy_mmu::with::<Mmu, _>(|mmu| {
    ///     // SAFETY: walkers do not reach `children`, they translate the block's range to the same
    ///     // addresses with the same attributes, and the CPUs have FEAT_BBM level 2 without
    ///     // conflict aborts.
    ///     unsafe {
    ///         mmu.split_block(&parent, &children, table, |block, i| {
    ///             Leaf::page(Leaf(block).address(Granule::Kib4) + 4096 * i as u64, KERNEL_DATA)
    ///         })
    ///     }
    /// });
    /// assert_eq!(old, Ok(block.0));
    /// # Ok::<(), lazy_mmu::aarch64::descriptor::BadDescriptor>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The value of the parent if it is not a valid block, or is no longer one because other code
    /// has split it. The parent is unchanged then, and children may be filled.
    ///
    /// # Safety
    ///
    /// * `children` are the entries of the table to which `table` points. `table` is a valid
    ///   descriptor. Walkers do not reach the table before the call.
    /// * The children translate the block's range as the block did. Otherwise, code does not use
    ///   the range until it has been invalidated. A TLB may hold the block even if code has not
    ///   used the range.
    /// * Every CPU that uses these tables tolerates the change from a block to a table without
    ///   break-before-make: FEAT_BBM level 2, without conflict aborts. On other CPUs use
    ///   [`break_before_make`](Self::break_before_make).
    ///
    /// # Panics
    ///
    /// If `child` panics, or if the block is in a [contiguous group](super::contiguous). The parent
    /// is unchanged then.
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
}
