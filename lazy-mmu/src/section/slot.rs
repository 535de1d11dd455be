//! Page-table entries in memory: the places that the stores accept.
//!
//! The hardware walks the entries, and may change them, while a CPU stores to them. Each store is
//! therefore one 64-bit atomic access, whatever type the kernel has for an entry.

use core::sync::atomic::AtomicU64;

/// A page-table entry of a kernel's own type, 64 bits wide.
///
/// Each operation of this crate that stores accepts `&mut` entries, slices and arrays of such a
/// type. A table such as `[PageTableEntry; 512]` then needs no `unsafe` at each store.
///
/// ```
/// use lazy_mmu::Entry;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
///
/// type Mmu = lazy_mmu::sim::Sim;
///
/// #[repr(transparent)]
/// struct PageTableEntry(u64);
///
/// // SAFETY: the type is transparent over a `u64`, and every value of the 64 bits is valid.
/// unsafe impl Entry for PageTableEntry {}
///
/// fn map(table: &mut [PageTableEntry; 512], index: usize, page: u64) {
///     lazy_mmu::with::<Mmu, _>(|mmu| {
///         mmu.write(&mut table[index], Leaf::page(page, KERNEL_DATA));
///     });
/// }
/// # let mut table = [const { PageTableEntry(0) }; 512];
/// # map(&mut table, 1, 0x4000_0000);
/// # assert_eq!(table[1].0, Leaf::page(0x4000_0000, KERNEL_DATA).0);
/// ```
///
/// # Safety
///
/// * The type has the size and alignment of a `u64`, and no padding.
/// * Every value of the 64 bits is a valid value of the type. No code relies on a narrower rule,
///   because any code that has a `&mut` of the type may store any bits.
/// * The type has no destructor that must run, because a store drops nothing.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a 64-bit page-table entry",
    note = "implement `lazy_mmu::Entry` for a type that is `#[repr(transparent)]` over a `u64`",
    note = "use `write_ptr` to store through a `*mut u64`"
)]
pub unsafe trait Entry {}

// SAFETY: a `u64` is the 64 bits.
unsafe impl Entry for u64 {}
// SAFETY: an `AtomicU64` has the representation of a `u64`.
unsafe impl Entry for AtomicU64 {}

/// A page-table entry that can be written: `&AtomicU64`, or `&mut` of an [`Entry`].
///
/// The trait is sealed. A function that passes on the entry of its caller has a parameter `impl
/// Slot`:
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::Slot;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
///
/// type Mmu = lazy_mmu::sim::Sim;
///
/// fn map(slot: impl Slot, page: u64) {
///     lazy_mmu::write::<Mmu, _>(slot, Leaf::page(page, KERNEL_DATA));
/// }
///
/// let shared = AtomicU64::new(0);
/// let mut owned: u64 = 0;
/// map(&shared, 0x4000_0000);
/// map(&mut owned, 0x4000_0000);
/// assert_eq!(shared.into_inner(), owned);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a page-table entry that can be written",
    label = "expected `&AtomicU64` or `&mut impl Entry`",
    note = "implement `lazy_mmu::Entry` for the kernel's type of an entry, and pass the entry by \
            `&mut`",
    note = "use `write_ptr` to store through a `*mut u64`"
)]
pub trait Slot: sealed::Sealed {
    /// Returns the 64 bits.
    #[doc(hidden)]
    fn atomic<'s>(self) -> &'s AtomicU64
    where
        Self: 's;
}

/// Consecutive page-table entries that can be written.
///
/// They are `&` of a slice or an array of `AtomicU64`, or `&mut` of a slice or an array of an
/// [`Entry`]. The trait is sealed.
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::Slots;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
///
/// type Mmu = lazy_mmu::sim::Sim;
///
/// fn map_buffer(slots: impl Slots, first: u64) {
///     let page = |i| Leaf::page(first + 4096 * i as u64, KERNEL_DATA);
///     lazy_mmu::write_range::<Mmu, _>(slots, page);
/// }
///
/// let shared = [const { AtomicU64::new(0) }; 512];
/// let mut owned = [0_u64; 512];
/// map_buffer(&shared[8..16], 0x4000_0000); // a part of a table
/// map_buffer(&mut owned, 0x4000_0000); // a whole table
/// assert_eq!(owned[0], Leaf::page(0x4000_0000, KERNEL_DATA).0);
/// # assert_eq!(shared[8].load(core::sync::atomic::Ordering::Relaxed), owned[0]);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a slice of page-table entries that can be written",
    label = "expected `&[AtomicU64]` or `&mut [impl Entry]`",
    note = "implement `lazy_mmu::Entry` for the kernel's type of an entry, and pass the entries by \
            `&mut`"
)]
pub trait Slots: sealed::Sealed {
    /// Returns the entries.
    #[doc(hidden)]
    fn atomics<'s>(self) -> &'s [AtomicU64]
    where
        Self: 's;
}

impl Slot for &AtomicU64 {
    #[inline]
    fn atomic<'s>(self) -> &'s AtomicU64
    where
        Self: 's,
    {
        self
    }
}

impl<E: Entry> Slot for &mut E {
    #[inline]
    fn atomic<'s>(self) -> &'s AtomicU64
    where
        Self: 's,
    {
        &core::slice::from_mut(self).atomics()[0]
    }
}

impl Slots for &[AtomicU64] {
    #[inline]
    fn atomics<'s>(self) -> &'s [AtomicU64]
    where
        Self: 's,
    {
        self
    }
}

impl<const N: usize> Slots for &[AtomicU64; N] {
    #[inline]
    fn atomics<'s>(self) -> &'s [AtomicU64]
    where
        Self: 's,
    {
        self
    }
}

impl<E: Entry> Slots for &mut [E] {
    #[inline]
    fn atomics<'s>(self) -> &'s [AtomicU64]
    where
        Self: 's,
    {
        const {
            assert!(
                size_of::<E>() == 8 && align_of::<E>() == align_of::<AtomicU64>(),
                "an `Entry` must have the size and alignment of a `u64`"
            );
        }
        let entries: *mut [E] = self;
        // SAFETY: an `Entry` has the representation of 64 bits, and the borrow is exclusive while
        // the result is used.
        unsafe { &*(entries as *const [AtomicU64]) }
    }
}

impl<E: Entry, const N: usize> Slots for &mut [E; N] {
    #[inline]
    fn atomics<'s>(self) -> &'s [AtomicU64]
    where
        Self: 's,
    {
        self.as_mut_slice().atomics()
    }
}

mod sealed {
    use super::{AtomicU64, Entry};

    pub trait Sealed {}

    impl Sealed for &AtomicU64 {}
    impl<E: Entry> Sealed for &mut E {}
    impl Sealed for &[AtomicU64] {}
    impl<const N: usize> Sealed for &[AtomicU64; N] {}
    impl<E: Entry> Sealed for &mut [E] {}
    impl<E: Entry, const N: usize> Sealed for &mut [E; N] {}
}
