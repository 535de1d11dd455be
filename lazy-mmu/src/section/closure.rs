//! Sections whose context is known at run time only: the closure forms, and the attribute's.
//!
//! Separate from the guard because the guard that such a section hands out never leaves: the
//! section itself does, and its user has no name for it.

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

/// The section of the closure form or of the attribute: its token. Its drop leaves.
///
/// Not for users, who could forget it. They get a [view].
#[derive(Debug)]
pub struct DynamicSection<B: Backend> {
    /// The thread's, or the inert place.
    bits: B::Storage,
    /// What its enter did; `None` if it has joined its caller's section.
    kind: Option<Kind>,
    _thread: BoundToThread,
}

impl<B: Backend> Drop for DynamicSection<B> {
    #[inline]
    fn drop(&mut self) {
        if let Some(kind) = self.kind {
            leave_dynamic::<B>(self.bits, kind);
        }
    }
}

/// Out of line: a function with such a section ends with a jump to this.
#[inline(never)]
fn leave_dynamic<B: Backend>(bits: B::Storage, kind: Kind) {
    match kind {
        Kind::Outermost => raw::leave_outermost::<B>(bits),
        Kind::Nested => raw::leave_nested::<B>(bits),
        Kind::Inert => raw::leave_inert::<B>(),
    }
}

/// The section of an attributed function, entered in whatever context this is. The expansion binds
/// it to a variable that the function's body cannot name.
#[inline]
pub fn section<B: Backend>() -> DynamicSection<B> {
    let (bits, in_interrupt) = B::context();
    enter(bits, in_interrupt)
}

/// The section of an attributed function that joins its caller's.
#[inline]
pub fn joined<B: Backend>() -> DynamicSection<B> {
    let (bits, in_interrupt) = B::context();
    if !in_interrupt && bits.load().defers() {
        DynamicSection {
            bits,
            kind: None,
            _thread: BoundToThread::HERE,
        }
    } else {
        enter(bits, in_interrupt)
    }
}

#[inline]
fn enter<B: Backend>(bits: B::Storage, in_interrupt: bool) -> DynamicSection<B> {
    let kind = raw::enter_at::<B>(bits, in_interrupt);
    DynamicSection {
        bits: if kind == Kind::Inert {
            B::Storage::inert()
        } else {
            bits
        },
        kind: Some(kind),
        _thread: BoundToThread::HERE,
    }
}

impl<L: Nesting, B: Backend> LazyMmu<'_, L, B> {
    /// This section without its nesting in the type, for code that cannot be generic over it:
    /// methods of a `dyn` driver, a field of a context structure.
    ///
    /// The result dereferences to `LazyMmu<'_, Dynamic, B>`. It borrows this section, enters and
    /// leaves nothing, and executes nothing.
    ///
    /// ```
    /// use core::sync::atomic::AtomicU64;
    /// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
    /// use lazy_mmu::sim::{Sim, pairs, take_trace};
    /// use lazy_mmu::{Dynamic, LazyMmu, Task};
    ///
    /// trait Driver {
    ///     fn map(&self, mmu: &mut LazyMmu<'_, Dynamic, Sim>);
    /// }
    ///
    /// struct Uart(AtomicU64);
    ///
    /// impl Driver for Uart {
    ///     fn map(&self, mmu: &mut LazyMmu<'_, Dynamic, Sim>) {
    ///         mmu.write(&self.0, Leaf::page(0x0900_0000, KERNEL_DATA));
    ///     }
    /// }
    ///
    /// let drivers: [Box<dyn Driver>; 2] = [0; 2].map(|_| Box::new(Uart(AtomicU64::new(0))) as _);
    /// // SAFETY: the only handle of this thread.
    /// let mut task = unsafe { Task::<Sim>::current() };
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

/// A section without its nesting in the type: of [`LazyMmu::erase`], of an attributed function's
/// body, and of a closure. It is never left.
///
/// The body has a mutable reference to it, and the borrow checker may let it be exchanged for a
/// nested guard of another section; so the leave does not depend on it. (A nested guard that is
/// exchanged for it is forgotten, which loses nothing.)
pub struct View<'a, B: Backend>(ManuallyDrop<LazyMmu<'a, Dynamic, B>>);

impl<'a, B: Backend> View<'a, B> {
    /// The section, for the body.
    #[inline]
    pub fn section(&mut self) -> &mut LazyMmu<'a, Dynamic, B> {
        &mut self.0
    }
}

impl<'a, B: Backend> Deref for View<'a, B> {
    type Target = LazyMmu<'a, Dynamic, B>;

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

/// A view of an attributed function's section.
#[inline]
pub fn view<B: Backend>(section: &mut DynamicSection<B>) -> View<'_, B> {
    View(ManuallyDrop::new(guard(section.bits)))
}

/// Runs `f` in a section of its own, and leaves it when `f` returns or panics.
///
/// `f` borrows the section and cannot keep, forget or exchange it. In an interrupt, and while the
/// mode is paused, the section is [inert](Kind::Inert): every store through it is followed by its
/// pair at once.
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// use lazy_mmu::sim::{Sim, pairs, take_trace};
///
/// let table = [const { AtomicU64::new(0) }; 512];
/// lazy_mmu::with::<Sim, _>(|mmu| {
///     for (slot, page) in table.iter().zip(0u64..) {
///         mmu.write(slot, Leaf::page(4096 * page, KERNEL_DATA));
///     }
/// });
/// // 512 stores, and one `dsb ishst; isb`.
/// assert_eq!(pairs(&take_trace()), 1);
/// ```
#[inline]
pub fn with<B: Backend, R>(f: impl for<'id> FnOnce(&mut LazyMmu<'id, Dynamic, B>) -> R) -> R {
    f(view(&mut section()).section())
}

/// Runs `f` in the section that is open; opens one only if none is.
///
/// Where the thread's stores are deferred already, this enters nothing, the stores of `f` are
/// deferred into the section that is open, and the end emits nothing. Elsewhere it is as [`with`].
///
/// So a function that is called in a loop batches with its caller's section: the leave of a nested
/// section would flush at each call. The price is what the function promises. When it returns, its
/// stores may still be pending, and its caller's leave or flush emits their pair. A function whose
/// mappings its caller uses at once uses [`with`], [`visible()`], or calls `mmu.flush()`. A handler
/// of a synchronous exception opens a section that does not join around its calls of such functions
/// (see [`raw`](crate::raw#exception-handlers)).
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// use lazy_mmu::sim::{Sim, pairs, take_trace};
///
/// fn map_page(slot: &AtomicU64, page: u64) {
///     lazy_mmu::join::<Sim, _>(|mmu| mmu.write(slot, Leaf::page(page, KERNEL_DATA)));
/// }
///
/// let table = [const { AtomicU64::new(0) }; 512];
/// lazy_mmu::with::<Sim, _>(|_| {
///     for (slot, page) in table.iter().zip(0u64..) {
///         map_page(slot, 4096 * page);
///     }
/// });
/// assert_eq!(pairs(&take_trace()), 1);
/// map_page(&table[0], 0); // by itself it opens a section, and leaves that
/// assert_eq!(pairs(&take_trace()), 1);
/// ```
#[inline]
pub fn join<B: Backend, R>(f: impl for<'id> FnOnce(&mut LazyMmu<'id, Dynamic, B>) -> R) -> R {
    f(view(&mut joined()).section())
}

/// Runs `f` in a section of its own, leaves that, and returns the value that `f` mapped, ready for
/// use.
///
/// For a function that opens a section, maps, leaves, and whose caller uses the mapping at once.
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// use lazy_mmu::sim::{Sim, is_settled};
///
/// /// Maps a page, and returns its address, ready for use.
/// fn map_page(slot: &AtomicU64) -> usize {
///     let page = Leaf::page(0x4000_0000, KERNEL_DATA);
///     lazy_mmu::visible::<Sim, _>(|mmu| mmu.write_pending(slot, page, 0xffff_8000_0000_0000))
/// }
///
/// let slot = AtomicU64::new(0);
/// assert_eq!(map_page(&slot), 0xffff_8000_0000_0000);
/// assert!(is_settled(&slot));
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

/// [`visible()`] for an `f` that may fail.
///
/// # Errors
///
/// The error that `f` returns. The section is left, and stores that `f` made are visible, all the
/// same.
#[inline]
pub fn try_visible<B: Backend, T, E>(
    f: impl for<'id> FnOnce(&mut LazyMmu<'id, Dynamic, B>) -> Result<Pending<'id, T, B>, E>,
) -> Result<T, E> {
    let mut section = section();
    let mut view = view(&mut section);
    let pending = f(view.section())?;
    Ok(pending.get(&view.section().flush()))
}
