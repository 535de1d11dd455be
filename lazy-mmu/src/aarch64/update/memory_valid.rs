//! The entries of the linear map, which become valid and invalid as frames are used.
//!
//! The file is separate from the other updates, because a RISC-V kernel has a method of the same
//! name in [`riscv64`](crate::riscv64).

use core::sync::atomic::Ordering;

use super::contiguous;
use crate::aarch64::descriptor::{CONTIGUOUS, VALID};
use crate::aarch64::granule::PAGE_LEVEL;
use crate::protocol::backend::Backend;
use crate::protocol::range::VirtualRange;
use crate::section::guard::LazyMmu;
use crate::section::nesting::Nesting;
use crate::section::slot::Slots;
use crate::section::store;

impl<L: Nesting, B: Backend> LazyMmu<'_, L, B> {
    /// Sets or clears VALID in each of `slots`, the entries for the pages of `range` in the linear
    /// map (as Linux's `set_memory_valid`, arm64). The other bits stay unchanged.
    ///
    /// * **Made valid.** TLBs do not hold entries that were invalid, so an invalidation is not
    ///   needed. The barrier pair is deferred, whatever the other bits of the entries are.
    /// * **Made invalid.** The function removes the range from the TLBs. The invalidation includes
    ///   the effect of the barrier pair, so a pending pair is not emitted again.
    ///
    /// The entries are page descriptors, at level 3. A table descriptor must not become valid here,
    /// because the function does not order it after the stores to its table.
    ///
    /// The function recognises a contiguous group that it made invalid before. The other operations
    /// treat such entries as invalid.
    ///
    /// ```
    /// use core::sync::atomic::{AtomicU64, Ordering};
    /// use lazy_mmu::aarch64::Granule;
    /// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf, VALID};
    /// # type Mmu = lazy_mmu::sim::Sim;
    ///
    /// // Takes a page out of the linear map while its frame is free, to find stray accesses.
    /// let page = Granule::Kib4.range(0xffff_0000_4000_0000, 1)?;
    /// let slots = [AtomicU64::new(Leaf::page(0x4000_0000, KERNEL_DATA).0)];
    /// let is_valid = || slots[0].load(Ordering::Relaxed) & VALID != 0;
    /// lazy_mmu::with::<Mmu, _>(|mmu| {
    ///     mmu.set_memory_valid(&slots, page, false); // the frame is freed
    ///     assert!(!is_valid());
    ///     mmu.set_memory_valid(&slots, page, true); // and allocated again
    ///     assert!(is_valid());
    /// });
    /// # Ok::<(), lazy_mmu::BadRange>(())
    /// ```
    ///
    /// # Panics
    ///
    /// If the number of slots is not the number of pages in `range`, or if `range` cuts a
    /// [contiguous group](super::contiguous), valid or invalid. The entries are unchanged then.
    #[inline]
    pub fn set_memory_valid(&mut self, slots: impl Slots, range: VirtualRange, valid: bool) {
        let slots = slots.atomics();
        assert!(
            slots.len() as u64 == range.pages(),
            "the range has {} pages, but {} entries were given",
            range.pages(),
            slots.len()
        );
        contiguous::refuse_cut(slots, range, PAGE_LEVEL, CONTIGUOUS);
        for slot in slots {
            // The change is atomic, because the hardware may set the access flag or the dirty state
            // in a valid entry at the same time.
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
