//! Stores with other barriers: a store that is never deferred, a store without synchronization, and
//! the store that links a table.
//!
//! Separate from `store`, because these stores execute other barriers than the pair at the end of
//! the section.

use core::cell::Cell;

use super::descriptor::Descriptor;
use super::guard::LazyMmu;
use super::nesting::Nesting;
use super::proof::{self, Visible};
use super::slot::{Slot, Slots};
use super::store::{self, OnDrop};
use crate::protocol::backend::{Backend, Machine as _};
use crate::protocol::raw;

/// Stores `descriptor` and emits the barrier pair at once, even in a section.
///
/// The pair is emitted for every descriptor, even if the descriptor does not need it. Use
/// `write_sync` for an entry that is used before any section is left, for example an entry of the
/// live root table of the kernel itself. The pair also covers the earlier stores of the thread, so
/// leaving the section emits nothing for them.
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::aarch64::descriptor::TopLevel;
/// use lazy_mmu::sim::{is_settled, pairs, take_trace};
///
/// type Mmu = lazy_mmu::sim::Sim;
///
/// let root = AtomicU64::new(0);
/// lazy_mmu::with::<Mmu, _>(|mmu| {
///     mmu.note_store(); // Other code has stored a descriptor.
///     lazy_mmu::write_sync::<Mmu, _>(&root, TopLevel::at(0x4000_0000));
///     assert!(is_settled(&root)); // The pair has been emitted.
/// });
/// assert_eq!(pairs(&take_trace()), 1);
/// ```
#[inline]
pub fn write_sync<B: Backend, D: Descriptor>(slot: impl Slot, descriptor: D) {
    store::put_descriptor::<B, D>(slot.atomic(), descriptor);
    raw::take_own_pending::<B>();
    B::Machine::barrier();
}

/// Stores `descriptor` without any synchronization (Linux: `__set_pte_nosync` and similar
/// functions).
///
/// Use it for a table that no walker reaches yet: at boot, or before the table is linked.
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf, Table};
/// use lazy_mmu::sim::is_settled;
///
/// type Mmu = lazy_mmu::sim::Sim;
///
/// let (parent, child) = (AtomicU64::new(0), AtomicU64::new(0));
/// // SAFETY: the store that links the table orders this store before it.
/// unsafe { lazy_mmu::write_nosync::<Mmu, _>(&child, Leaf::page(0x4000_0000, KERNEL_DATA)) };
/// assert!(!is_settled(&child)); // No barrier follows.
/// lazy_mmu::write::<Mmu, _>(&parent, Table::at(0x4800_0000));
/// ```
///
/// # Safety
///
/// Before a walker may use the entry, the caller executes a barrier that orders this store before
/// the walk. No section knows of the store. Each of these barriers suffices:
///
/// * the barrier pair
/// * a `dsb ishst` before the store that links the table (RISC-V: `fence w, w`)
/// * the barrier of the change of TTBR (RISC-V: `sfence.vma` at the change of satp)
#[inline]
pub unsafe fn write_nosync<B: Backend, D: Descriptor>(slot: impl Slot, descriptor: D) {
    store::put::<B>(slot.atomic(), descriptor.bits());
}

/// Fills a table that is not linked yet, and links it.
///
/// `link_table` stores `child(i)` in `children[i]`, for each `i` in order. Then it stores `table`
/// in `parent`, ordered after the children. The pair is emitted or deferred, as
/// [`write()`](crate::write()) does.
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf, Table};
/// use lazy_mmu::sim::{Event, take_trace};
///
/// type Mmu = lazy_mmu::sim::Sim;
///
/// let parent = AtomicU64::new(0);
/// let children = [const { AtomicU64::new(0) }; 512];
/// let table = Table::at(0x4800_0000); // the frame of `children`
/// lazy_mmu::link_table::<Mmu, _>(&parent, table, &children, |i| {
///     Leaf::page(0x4000_0000 + 4096 * i as u64, KERNEL_DATA)
/// });
///
/// let trace = take_trace();
/// let link = Event::Store { slot: &raw const parent as usize, value: table.0 };
/// // The first barrier orders the 512 children before the link. The other two are the pair.
/// assert_eq!(trace[512..], [Event::DsbIshst, link, Event::DsbIshst, Event::Isb]);
/// ```
///
/// # Panics
///
/// Panics if `child` or a method of a descriptor does. The parent is not changed then.
#[inline]
pub fn link_table<B: Backend, D: Descriptor>(
    parent: impl Slot,
    table: impl Descriptor,
    children: impl Slots,
    child: impl FnMut(usize) -> D,
) {
    put_table::<B, D>(parent, table, children, child, store::note_store::<B>);
}

/// Stores the children and the parent. Then calls `note` once if any of them needs the pair, even
/// if a panic in `child` unwinds.
#[inline]
fn put_table<B: Backend, D: Descriptor>(
    parent: impl Slot,
    table: impl Descriptor,
    children: impl Slots,
    child: impl FnMut(usize) -> D,
    mut note: impl FnMut(),
) {
    // A method of the descriptor that panics does so before the store.
    let (bits, parent_needs) = (table.bits(), table.needs_barrier());
    let needed = Cell::new(false);
    let _note = OnDrop(|| {
        if needed.get() {
            note();
        }
    });
    store::put_range::<B, D>(children.atomics(), child, || needed.set(true));
    // Always, even if `table` does not report that it points to a table.
    B::Machine::table_barrier();
    store::put::<B>(parent.atomic(), bits);
    if parent_needs {
        needed.set(true);
    }
}

impl<'id, L: Nesting, B: Backend> LazyMmu<'id, L, B> {
    /// Stores `descriptor` and emits the barrier pair at once, like [`write_sync`].
    ///
    /// Returns the same proof as [`flush`](Self::flush).
    ///
    /// ```
    /// use core::sync::atomic::AtomicU64;
    /// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf, TopLevel};
    ///
    /// type Mmu = lazy_mmu::sim::Sim;
    ///
    /// let [slot, root] = [const { AtomicU64::new(0) }; 2];
    /// lazy_mmu::with::<Mmu, _>(|mmu| {
    ///     let page = mmu.write_pending(&slot, Leaf::page(0x4000_0000, KERNEL_DATA), "page");
    ///     let proof = mmu.write_sync(&root, TopLevel::at(0x4800_0000));
    ///     assert_eq!(page.get(&proof), "page"); // The pair covers the earlier store too.
    /// });
    /// ```
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

    /// Fills a table that is not linked yet, and links it, like [`link_table`]. The pair is
    /// deferred.
    ///
    /// ```
    /// use core::sync::atomic::AtomicU64;
    /// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf, Table};
    ///
    /// type Mmu = lazy_mmu::sim::Sim;
    ///
    /// let parent = AtomicU64::new(0);
    /// let children = [const { AtomicU64::new(0) }; 512];
    /// let frame_of_children = 0x4800_0000;
    /// lazy_mmu::with::<Mmu, _>(|mmu| {
    ///     mmu.link_table(&parent, Table::at(frame_of_children), &children, |i| {
    ///         Leaf::page(0x4000_0000 + 4096 * i as u64, KERNEL_DATA)
    ///     });
    /// });
    /// ```
    ///
    /// # Panics
    ///
    /// Panics if `child` or a method of a descriptor does. The parent is not changed then.
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
