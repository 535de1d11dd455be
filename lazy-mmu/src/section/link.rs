//! Stores that are not plain: never deferred, without synchronization, or of a table that is
//! linked.
//!
//! Separate from `store` because each of these executes another barrier than the pair at the
//! section's end.

use core::cell::Cell;

use super::descriptor::Descriptor;
use super::guard::LazyMmu;
use super::nesting::Nesting;
use super::proof::{self, Visible};
use super::slot::{Slot, Slots};
use super::store::{self, OnDrop};
use crate::protocol::backend::{Backend, Machine as _};
use crate::protocol::raw;

/// Stores `descriptor` and executes the pair at once, whatever the descriptor says and in a section
/// too: for an entry that is used before any section is left, as an entry of the live root table by
/// which the kernel itself runs.
///
/// The pair covers the earlier stores of the thread, so the following leave emits nothing for them.
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::aarch64::descriptor::TopLevel;
/// use lazy_mmu::sim::{Sim, is_settled, pairs, take_trace};
///
/// let root = AtomicU64::new(0);
/// lazy_mmu::with::<Sim, _>(|mmu| {
///     mmu.note_store();
///     lazy_mmu::write_sync::<Sim, _>(&root, TopLevel::at(0x4000_0000));
///     assert!(is_settled(&root));
/// });
/// assert_eq!(pairs(&take_trace()), 1);
/// ```
#[inline]
pub fn write_sync<B: Backend, D: Descriptor>(slot: impl Slot, descriptor: D) {
    store::put_descriptor::<B, D>(slot.atomic(), descriptor);
    raw::take_own_pending::<B>();
    B::Machine::barrier();
}

/// Stores `descriptor` without any synchronization (Linux: `__set_pte_nosync` and its like).
///
/// For tables that no walker reaches yet: at boot, or before they are linked.
///
/// # Safety
///
/// Before a walker may use the entry, the caller executes a barrier that orders this store before
/// that: the pair, a `dsb ishst` before the store that links the table, or that of the change of
/// TTBR. No section knows of this store.
#[inline]
pub unsafe fn write_nosync<B: Backend, D: Descriptor>(slot: impl Slot, descriptor: D) {
    store::put::<B>(slot.atomic(), descriptor.bits());
}

/// Fills `children`, the entries of a table that is not linked yet, with `child(i)`, and links the
/// table: stores `table` in `parent`, ordered after the children. The pair is emitted or deferred,
/// as by [`write()`](crate::write()).
///
/// # Panics
///
/// If `child` does, or a method of a descriptor: the parent is as it was.
#[inline]
pub fn link_table<B: Backend, D: Descriptor>(
    parent: impl Slot,
    table: impl Descriptor,
    children: impl Slots,
    child: impl FnMut(usize) -> D,
) {
    put_table::<B, D>(parent, table, children, child, store::note_store::<B>);
}

/// The stores themselves, and then one call of `note` if any of them needs the pair: also when a
/// panic in `child` unwinds.
#[inline]
fn put_table<B: Backend, D: Descriptor>(
    parent: impl Slot,
    table: impl Descriptor,
    children: impl Slots,
    child: impl FnMut(usize) -> D,
    mut note: impl FnMut(),
) {
    // A descriptor that panics does so before the store.
    let (bits, parent_needs) = (table.bits(), table.needs_barrier());
    let needed = Cell::new(false);
    let _note = OnDrop(|| {
        if needed.get() {
            note();
        }
    });
    store::put_range::<B, D>(children.atomics(), child, || needed.set(true));
    // Whatever `table` says of itself.
    B::Machine::table_barrier();
    store::put::<B>(parent.atomic(), bits);
    if parent_needs {
        needed.set(true);
    }
}

impl<'id, L: Nesting, B: Backend> LazyMmu<'id, L, B> {
    /// [`write_sync`]: never deferred. The result is the proof that [`flush`](Self::flush) gives.
    #[inline]
    pub fn write_sync<D: Descriptor>(
        &mut self,
        slot: impl Slot,
        descriptor: D,
    ) -> Visible<'_, 'id, B> {
        store::put_descriptor::<B, D>(slot.atomic(), descriptor);
        self.take_pending();
        B::Machine::barrier();
        proof::proof()
    }

    /// [`link_table`], deferred into this section.
    ///
    /// ```
    /// use core::sync::atomic::AtomicU64;
    /// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf, Table};
    /// use lazy_mmu::sim::Sim;
    ///
    /// let parent = AtomicU64::new(0);
    /// let children = [const { AtomicU64::new(0) }; 512];
    /// let frame_of_children = 0x4800_0000;
    /// lazy_mmu::with::<Sim, _>(|mmu| {
    ///     mmu.link_table(&parent, Table::at(frame_of_children), &children, |i| {
    ///         Leaf::page(0x4000_0000 + 4096 * i as u64, KERNEL_DATA)
    ///     });
    /// });
    /// ```
    ///
    /// # Panics
    ///
    /// If `child` does, or a method of a descriptor: the parent is as it was.
    #[inline]
    pub fn link_table<D: Descriptor>(
        &mut self,
        parent: impl Slot,
        table: impl Descriptor,
        children: impl Slots,
        child: impl FnMut(usize) -> D,
    ) {
        put_table::<B, D>(parent, table, children, child, || self.note_store());
    }
}
