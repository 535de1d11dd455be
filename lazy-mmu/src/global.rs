//! The functions of the crate for [`Global`], the registered backend: they need no type argument.
//!
//! Each function calls the function of the same name in the crate, whose page has the details.
//!
//! The module has the functions that libraries call most. The other functions of the crate, for
//! example [`try_visible`](crate::try_visible), [`link_table`](crate::link_table) and
//! [`write_sync`](crate::write_sync), take [`Global`] as a type argument:
//! `lazy_mmu::try_visible::<Global, _, _>(..)`. The file `examples/driver/src/lib.rs` of the
//! repository does this.
//!
//! ```
//! use core::sync::atomic::AtomicU64;
//! use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
//! use lazy_mmu::global;
//! # type Mmu = lazy_mmu::sim::Sim;
//!
//! lazy_mmu::set_global_backend!(Mmu); // once, in the final binary
//!
//! let slot = AtomicU64::new(0);
//! global::with(|mmu| mmu.write(&slot, Leaf::page(0x4000_0000, KERNEL_DATA)));
//! global::write(&slot, Leaf::INVALID);
//! # assert_eq!(lazy_mmu::sim::pairs(&lazy_mmu::sim::take_trace()), 1);
//! ```

use crate::{
    Descriptor, Dynamic, Gather, Global, LazyMmu, NotIdle, Pending, Scope, Slot, Slots,
    VirtualRange,
};

/// Stores `descriptor` in `slot`, and emits or defers its pair: [`write()`](crate::write()).
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// use lazy_mmu::global;
/// # type Mmu = lazy_mmu::sim::Sim;
/// # lazy_mmu::set_global_backend!(Mmu);
///
/// let slot = AtomicU64::new(0);
/// global::write(&slot, Leaf::page(0x4000_0000, KERNEL_DATA));
/// assert!(lazy_mmu::sim::is_settled(&slot)); // Outside a section, the pair was emitted at once.
/// ```
#[inline]
pub fn write(slot: impl Slot, descriptor: impl Descriptor) {
    crate::write::<Global, _>(slot, descriptor);
}

/// Stores descriptors in consecutive entries: [`write_range`](crate::write_range).
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// use lazy_mmu::global;
/// use lazy_mmu::sim::{pairs, take_trace};
/// # type Mmu = lazy_mmu::sim::Sim;
/// # lazy_mmu::set_global_backend!(Mmu);
///
/// let slots = [const { AtomicU64::new(0) }; 16];
/// global::write_range(&slots, |i| Leaf::page(0x4000_0000 + 4096 * i as u64, KERNEL_DATA));
/// assert_eq!(pairs(&take_trace()), 1); // One pair for 16 stores.
/// ```
#[inline]
pub fn write_range<D: Descriptor>(slots: impl Slots, descriptor: impl FnMut(usize) -> D) {
    crate::write_range::<Global, D>(slots, descriptor);
}

/// Emits or defers the pair for the stores that `f` makes without the crate:
/// [`note_stores`](crate::note_stores()).
///
/// ```
/// # use core::sync::atomic::{AtomicU64, Ordering};
/// # use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// use lazy_mmu::global;
/// use lazy_mmu::sim::{pairs, take_trace};
/// # type Mmu = lazy_mmu::sim::Sim;
/// # lazy_mmu::set_global_backend!(Mmu);
/// # struct Mapper(AtomicU64);
/// # impl Mapper {
/// #     fn map_to(&self, page: u64) -> Result<(), ()> {
/// #         self.0.store(Leaf::page(page, KERNEL_DATA).0, Ordering::Relaxed);
/// #         Ok(())
/// #     }
/// # }
/// # let mapper = Mapper(AtomicU64::new(0));
///
/// // The mapper of another crate.
/// let mapped = global::note_stores(|| mapper.map_to(0x4000_0000));
/// assert!(mapped.is_ok());
/// assert_eq!(pairs(&take_trace()), 1); // The page can be used.
/// ```
#[inline]
pub fn note_stores<R>(f: impl FnOnce() -> R) -> R {
    crate::note_stores::<Global, R>(f)
}

/// Emits the pair now, if a store awaits it: [`flush`](crate::flush).
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// use lazy_mmu::{global, lazy_mmu};
/// # type Mmu = lazy_mmu::sim::Sim;
/// # lazy_mmu::set_global_backend!(Mmu);
///
/// #[lazy_mmu]
/// fn map_and_use(slot: &AtomicU64) {
///     global::write(slot, Leaf::page(0x4000_0000, KERNEL_DATA));
///     global::flush();
///     assert!(lazy_mmu::sim::is_settled(slot)); // The page can be used.
/// }
/// # map_and_use(&AtomicU64::new(0));
/// ```
#[inline]
pub fn flush() {
    crate::flush::<Global>();
}

/// Returns whether a store made now would be deferred: [`is_active`](crate::is_active). In a pause
/// it returns false.
///
/// ```
/// use lazy_mmu::global;
/// # type Mmu = lazy_mmu::sim::Sim;
/// # lazy_mmu::set_global_backend!(Mmu);
///
/// /// A function that must not be called in a section.
/// fn sleep() {
///     assert!(!global::is_active(), "the thread sleeps in a section");
/// }
///
/// sleep();
/// global::with(|_| assert!(global::is_active()));
/// ```
#[inline]
pub fn is_active() -> bool {
    crate::is_active::<Global>()
}

/// Checks that the thread has no section, nothing pending and no pause:
/// [`check_idle`](crate::check_idle()).
///
/// ```
/// use lazy_mmu::global;
/// # type Mmu = lazy_mmu::sim::Sim;
/// # lazy_mmu::set_global_backend!(Mmu);
///
/// /// The last function of a task.
/// fn exit() {
///     if let Err(error) = global::check_idle() {
///         panic!("at the end of a task: {error}");
///     }
/// }
///
/// exit();
/// let error = global::with(|_| global::check_idle()).unwrap_err();
/// assert_eq!(error.to_string(), "the thread is not idle: a section is open");
/// ```
///
/// # Errors
///
/// Returns [`NotIdle`], which has the bits that are set.
#[inline]
pub fn check_idle() -> Result<(), NotIdle> {
    crate::check_idle::<Global>()
}

/// Runs `f` in a section of its own: [`with`](crate::with()).
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// use lazy_mmu::global;
/// use lazy_mmu::sim::{pairs, take_trace};
/// # type Mmu = lazy_mmu::sim::Sim;
/// # lazy_mmu::set_global_backend!(Mmu);
///
/// let [control, data] = [const { AtomicU64::new(0) }; 2];
/// global::with(|mmu| {
///     mmu.write(&control, Leaf::page(0x0900_0000, KERNEL_DATA));
///     mmu.write(&data, Leaf::page(0x4000_0000, KERNEL_DATA));
/// });
/// assert_eq!(pairs(&take_trace()), 1);
/// ```
#[inline]
pub fn with<R>(f: impl for<'id> FnOnce(&mut LazyMmu<'id, Dynamic>) -> R) -> R {
    crate::with::<Global, R>(f)
}

/// Runs `f` in the section that is open, or in one of its own if stores are not deferred:
/// [`join`](crate::join()).
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// use lazy_mmu::global;
/// use lazy_mmu::sim::{pairs, take_trace};
/// # type Mmu = lazy_mmu::sim::Sim;
/// # lazy_mmu::set_global_backend!(Mmu);
///
/// fn map_page(slot: &AtomicU64, page: u64) {
///     global::join(|mmu| mmu.write(slot, Leaf::page(page, KERNEL_DATA)));
/// }
///
/// let [one, two] = [const { AtomicU64::new(0) }; 2];
/// global::with(|_| {
///     map_page(&one, 0x4000_0000);
///     map_page(&two, 0x4000_1000);
/// });
/// assert_eq!(pairs(&take_trace()), 1);
/// ```
#[inline]
pub fn join<R>(f: impl for<'id> FnOnce(&mut LazyMmu<'id, Dynamic>) -> R) -> R {
    crate::join::<Global, R>(f)
}

/// Runs `f` in a section of its own, and returns its mapping ready for use:
/// [`visible`](crate::visible()).
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// use lazy_mmu::global;
/// # type Mmu = lazy_mmu::sim::Sim;
/// # lazy_mmu::set_global_backend!(Mmu);
///
/// /// Maps a page at `address`, and returns the address, ready for use.
/// fn ioremap(slot: &AtomicU64, address: usize) -> usize {
///     global::visible(|mmu| {
///         mmu.write_pending(slot, Leaf::page(0x0900_0000, KERNEL_DATA), address)
///     })
/// }
///
/// let slot = AtomicU64::new(0);
/// assert_eq!(ioremap(&slot, 0xffff_8000_0000_0000), 0xffff_8000_0000_0000);
/// assert!(lazy_mmu::sim::is_settled(&slot)); // The pair has been emitted.
/// ```
#[inline]
pub fn visible<T>(f: impl for<'id> FnOnce(&mut LazyMmu<'id, Dynamic>) -> Pending<'id, T>) -> T {
    crate::visible::<Global, T>(f)
}

/// Runs `f` while the mode is paused: [`paused`](crate::paused()).
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// use lazy_mmu::global;
/// # type Mmu = lazy_mmu::sim::Sim;
/// # lazy_mmu::set_global_backend!(Mmu);
///
/// let slot = AtomicU64::new(0);
/// global::with(|_| {
///     global::paused(|| {
///         global::write(&slot, Leaf::page(0x4000_0000, KERNEL_DATA));
///         assert!(lazy_mmu::sim::is_settled(&slot)); // The pair was emitted at once.
///     });
/// });
/// ```
#[inline]
pub fn paused<R>(f: impl FnOnce() -> R) -> R {
    crate::paused::<Global, R>(f)
}

/// Removes the translations of `range` from the TLBs: [`invalidate`](crate::invalidate()).
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::aarch64::Granule;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// use lazy_mmu::sim::{Event, take_trace};
/// use lazy_mmu::{Scope, global};
/// # type Mmu = lazy_mmu::sim::Sim;
/// # lazy_mmu::set_global_backend!(Mmu);
///
/// let slot = AtomicU64::new(Leaf::page(0x4000_0000, KERNEL_DATA).0);
/// let page = Granule::Kib4.range(0xffff_8000_0000_0000, 1)?;
/// global::write(&slot, Leaf::INVALID);
/// global::invalidate(page, Scope::PAGES);
/// assert!(take_trace().contains(&Event::Tlbi(page.start())));
/// # Ok::<(), lazy_mmu::BadRange>(())
/// ```
#[inline]
pub fn invalidate(range: VirtualRange, scope: Scope) {
    crate::invalidate::<Global>(range, scope);
}

/// Runs `f` with a gather, and then invalidates everything that it gathered:
/// [`gather`](crate::gather()).
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::aarch64::Granule;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// use lazy_mmu::global;
/// # type Mmu = lazy_mmu::sim::Sim;
/// # lazy_mmu::set_global_backend!(Mmu);
///
/// let entry = |frame| AtomicU64::new(Leaf::page(frame, KERNEL_DATA).0);
/// let table = [entry(0x4000_0000), entry(0x4000_1000)];
/// let first = Granule::Kib4.range(0xffff_8000_0000_0000, 1)?;
/// let second = Granule::Kib4.range(0xffff_8000_0000_1000, 1)?;
/// let mut frames = [None; 2];
/// global::gather(&mut frames, |gather| {
///     gather.unmap(&table[0], first, |old| Leaf(old).address(Granule::Kib4))?;
///     gather.unmap(&table[1], second, |old| Leaf(old).address(Granule::Kib4))
/// })?;
/// assert_eq!(frames, [Some(0x4000_0000), Some(0x4000_1000)]);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
///
/// # Panics
///
/// Panics if `storage` already holds a value.
#[inline]
pub fn gather<T, R>(
    storage: &mut [Option<T>],
    f: impl for<'g> FnOnce(&mut Gather<'g, T>) -> R,
) -> R {
    crate::gather::<Global, T, R>(storage, f)
}
