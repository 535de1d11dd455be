//! The closure forms, and the section of the attribute: their nesting is known at run time only.
//!
//! Separate from the guard, because the guard that the body receives never leaves the section. A
//! `DynamicSection` leaves it, and the body cannot name the `DynamicSection`.

use core::fmt;
use core::mem::ManuallyDrop;
use core::ops::{Deref, DerefMut};

use super::guard::{LazyMmu, guard};
use super::nesting::{Dynamic, Nesting};
use super::proof::Pending;
use crate::protocol::backend::Backend;
use crate::protocol::bits::Storage as _;
use crate::protocol::raw::{self, Kind};
use crate::protocol::token::BoundToThread;

/// The section of a closure form or of the attribute. Dropping it leaves the section.
///
/// Users could forget a `DynamicSection`, so they receive a [`View`] of it.
#[derive(Debug)]
pub struct DynamicSection<B: Backend> {
    /// The bits of the thread, or the inert bits.
    bits: BoundToThread<B::Storage>,
    /// The effect of its enter; `None` if it joined the section of the caller.
    kind: Option<Kind>,
}

impl<B: Backend> Drop for DynamicSection<B> {
    #[inline]
    fn drop(&mut self) {
        if let Some(kind) = self.kind {
            leave_dynamic::<B>(self.bits.0, kind);
        }
    }
}

/// Leaves a section that was entered as `kind`.
///
/// Out of line, because a function with such a section then ends with a jump to this function.
#[inline(never)]
fn leave_dynamic<B: Backend>(bits: B::Storage, kind: Kind) {
    match kind {
        Kind::Outermost => raw::leave_outermost::<B>(bits),
        Kind::Nested => raw::leave_nested::<B>(bits),
        Kind::Inert => raw::leave_inert::<B>(),
    }
}

/// Enters the section of an attributed function, in the context of the call.
///
/// The expansion binds the section to a variable that the body of the function cannot name.
#[inline]
pub fn section<B: Backend>() -> DynamicSection<B> {
    let (bits, in_interrupt) = B::context();
    enter(bits, in_interrupt)
}

/// Enters the section of an attributed function that joins the section of its caller.
#[inline]
pub fn joined<B: Backend>() -> DynamicSection<B> {
    let (bits, in_interrupt) = B::context();
    if !in_interrupt && bits.load().defers() {
        DynamicSection {
            bits: BoundToThread(bits),
            kind: None,
        }
    } else {
        enter(bits, in_interrupt)
    }
}

#[inline]
fn enter<B: Backend>(bits: B::Storage, in_interrupt: bool) -> DynamicSection<B> {
    let kind = raw::enter_at::<B>(bits, in_interrupt);
    DynamicSection {
        bits: BoundToThread(if kind == Kind::Inert {
            B::Storage::inert()
        } else {
            bits
        }),
        kind: Some(kind),
    }
}

impl<L: Nesting, B: Backend> LazyMmu<'_, L, B> {
    /// Borrows this section as a `LazyMmu<'_, Dynamic, B>`, without its nesting in the type.
    ///
    /// Use it for code that cannot be generic over the nesting, for example a method of a `dyn`
    /// driver or a field of a context structure. `erase` executes no instruction, and enters and
    /// leaves no section.
    ///
    /// ```
    /// use core::sync::atomic::AtomicU64;
    /// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
    /// use lazy_mmu::sim::{pairs, take_trace};
    /// use lazy_mmu::{Dynamic, LazyMmu, Task};
    ///
    /// type Mmu = lazy_mmu::sim::Sim;
    ///
    /// trait Driver {
    ///     fn map(&self, mmu: &mut LazyMmu<'_, Dynamic, Mmu>);
    /// }
    ///
    /// struct Uart(AtomicU64);
    ///
    /// impl Driver for Uart {
    ///     fn map(&self, mmu: &mut LazyMmu<'_, Dynamic, Mmu>) {
    ///         mmu.write(&self.0, Leaf::page(0x0900_0000, KERNEL_DATA));
    ///     }
    /// }
    ///
    /// let drivers: [Box<dyn Driver>; 2] = [0; 2].map(|_| Box::new(Uart(AtomicU64::new(0))) as _);
    /// // SAFETY: this is the only handle of this thread.
    /// let mut task = unsafe { Task::<Mmu>::current() };
    /// let mut mmu = task.enter();
    /// for driver in &drivers {
    ///     driver.map(&mut mmu.erase());
    /// }
    /// mmu.leave();
    /// assert_eq!(pairs(&take_trace()), 1);
    /// ```
    #[inline]
    pub fn erase(&mut self) -> View<'_, B> {
        View(ManuallyDrop::new(guard(self.bits_of_store())))
    }
}

/// A borrowed section, which dereferences to `LazyMmu<'_, Dynamic, B>`.
///
/// [`LazyMmu::erase`] returns a `View`. Dropping a `View` does not leave the section.
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// use lazy_mmu::{Task, View};
///
/// type Mmu = lazy_mmu::sim::Sim;
///
/// /// The context of a mapper, whatever section its caller has.
/// struct Mapper<'a> {
///     mmu: View<'a, Mmu>,
///     table: &'a [AtomicU64],
/// }
///
/// # let table = [const { AtomicU64::new(0) }; 512];
/// # // SAFETY: this is the only handle of this thread.
/// # let mut task = unsafe { Task::<Mmu>::current() };
/// let mut mmu = task.enter();
/// let mut mapper = Mapper { mmu: mmu.erase(), table: &table };
/// mapper.mmu.write(&mapper.table[1], Leaf::page(0x4000_0000, KERNEL_DATA));
/// drop(mapper);
/// assert!(lazy_mmu::is_active::<Mmu>()); // The section is still open.
/// ```
// The body has a mutable reference to this guard, and the borrow checker may accept that the body
// exchanges it for a nested guard of another section. Leaving the section therefore does not depend
// on this guard. The nested guard is forgotten then, and the section around it emits its pair.
pub struct View<'id, B: Backend>(ManuallyDrop<LazyMmu<'id, Dynamic, B>>);

impl<'id, B: Backend> View<'id, B> {
    /// Returns the section.
    #[inline]
    pub fn section(&mut self) -> &mut LazyMmu<'id, Dynamic, B> {
        &mut self.0
    }
}

impl<'id, B: Backend> Deref for View<'id, B> {
    type Target = LazyMmu<'id, Dynamic, B>;

    #[inline]
    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<B: Backend> DerefMut for View<'_, B> {
    #[inline]
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl<B: Backend> fmt::Debug for View<'_, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

/// Borrows the section of an attributed function or of a closure.
#[inline]
pub fn view<B: Backend>(section: &mut DynamicSection<B>) -> View<'_, B> {
    View(ManuallyDrop::new(guard(section.bits.0)))
}

/// Runs `f` in a [section](LazyMmu) of its own, and leaves the section when `f` returns or panics.
///
/// If a store in `f` needs the barrier pair (on aarch64 `dsb ishst; isb`), the pair is deferred
/// until the section is left or flushed. `f` borrows the section, and cannot keep or forget it.
///
/// Inside another section, the new section is nested: leaving it emits the pending pair, and the
/// mode continues. In interrupt context and while the mode is [paused](crate::paused()), the
/// section is [inert](Kind::Inert): a store through it that needs the pair is followed by the pair
/// at once.
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// use lazy_mmu::sim::{pairs, take_trace};
///
/// type Mmu = lazy_mmu::sim::Sim;
///
/// let table = [const { AtomicU64::new(0) }; 512];
/// lazy_mmu::with::<Mmu, _>(|mmu| {
///     for (slot, page) in table.iter().zip(0u64..) {
///         mmu.write(slot, Leaf::page(4096 * page, KERNEL_DATA));
///     }
/// });
/// assert_eq!(pairs(&take_trace()), 1); // One pair for 512 stores.
/// ```
#[inline]
pub fn with<B: Backend, R>(f: impl for<'id> FnOnce(&mut LazyMmu<'id, Dynamic, B>) -> R) -> R {
    f(view(&mut section()).section())
}

/// Runs `f` in the [section](LazyMmu) that is open, or in a section of its own if stores are not
/// deferred.
///
/// If the thread defers its stores already, `join` enters no section. The stores of `f` are
/// deferred into the open section, and the end of `join` emits nothing. Otherwise `join` does the
/// same as [`with`].
///
/// Use `join` in a function that is called in a loop. Its stores then batch in the section of the
/// caller, while leaving a nested section would flush at each call. When such a function returns,
/// its stores may still be pending, and the leave or flush of the caller emits their pair. If the
/// caller uses the mappings at once, use [`with`] or [`visible()`], or call `mmu.flush()` at the
/// end of `f`.
///
/// A handler of a synchronous exception must open a section with [`with`] around its calls of such
/// functions (see [`raw`](crate::raw#exception-handlers)).
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// use lazy_mmu::sim::{pairs, take_trace};
///
/// type Mmu = lazy_mmu::sim::Sim;
///
/// fn map_page(slot: &AtomicU64, page: u64) {
///     lazy_mmu::join::<Mmu, _>(|mmu| mmu.write(slot, Leaf::page(page, KERNEL_DATA)));
/// }
///
/// let table = [const { AtomicU64::new(0) }; 512];
/// lazy_mmu::with::<Mmu, _>(|_| {
///     for (slot, page) in table.iter().zip(0u64..) {
///         map_page(slot, 4096 * page);
///     }
/// });
/// assert_eq!(pairs(&take_trace()), 1);
///
/// map_page(&table[0], 0); // Outside a section, it opens and leaves its own.
/// assert_eq!(pairs(&take_trace()), 1);
/// ```
#[inline]
pub fn join<B: Backend, R>(f: impl for<'id> FnOnce(&mut LazyMmu<'id, Dynamic, B>) -> R) -> R {
    f(view(&mut joined()).section())
}

/// Runs `f` in a [section](LazyMmu) of its own, and returns the value of the mapping that `f` made,
/// ready for use.
///
/// The pair of the mapping has been emitted when `visible` returns. Use it for a function that
/// opens a section, and whose caller uses the mapping at once.
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// use lazy_mmu::sim::is_settled;
///
/// type Mmu = lazy_mmu::sim::Sim;
///
/// /// Maps a page, and returns its address, ready for use.
/// fn map_page(slot: &AtomicU64) -> usize {
///     let page = Leaf::page(0x4000_0000, KERNEL_DATA);
///     lazy_mmu::visible::<Mmu, _>(|mmu| mmu.write_pending(slot, page, 0xffff_8000_0000_0000))
/// }
///
/// let slot = AtomicU64::new(0);
/// assert_eq!(map_page(&slot), 0xffff_8000_0000_0000);
/// assert!(is_settled(&slot)); // The pair has been emitted.
/// ```
#[inline]
pub fn visible<B: Backend, T>(
    f: impl for<'id> FnOnce(&mut LazyMmu<'id, Dynamic, B>) -> Pending<'id, T, B>,
) -> T {
    let mut section = section();
    let mut view = view(&mut section);
    let pending = f(view.section());
    pending.get(&view.section().flush())
}

/// Does the same as [`visible()`], for an `f` that can fail.
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
///
/// type Mmu = lazy_mmu::sim::Sim;
///
/// fn map_page(slot: &AtomicU64, frame: Option<u64>) -> Result<usize, &'static str> {
///     lazy_mmu::try_visible::<Mmu, _, _>(|mmu| {
///         let page = Leaf::page(frame.ok_or("no frame")?, KERNEL_DATA);
///         Ok(mmu.write_pending(slot, page, 0xffff_8000_0000_0000))
///     })
/// }
///
/// let slot = AtomicU64::new(0);
/// assert_eq!(map_page(&slot, None), Err("no frame"));
/// assert_eq!(map_page(&slot, Some(0x4000_0000)), Ok(0xffff_8000_0000_0000));
/// ```
///
/// # Errors
///
/// Returns the error of `f`. The section is left nevertheless, and the stores of `f` are visible.
#[inline]
pub fn try_visible<B: Backend, T, E>(
    f: impl for<'id> FnOnce(&mut LazyMmu<'id, Dynamic, B>) -> Result<Pending<'id, T, B>, E>,
) -> Result<T, E> {
    let mut section = section();
    let mut view = view(&mut section);
    let pending = f(view.section())?;
    Ok(pending.get(&view.section().flush()))
}
