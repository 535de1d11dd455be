//! How a section was entered, as a type. The type decides what leaving the section does.
//!
//! Separate from the guard, because `Drop` cannot be implemented for one of the types only. The
//! guard asks its type parameter instead.

/// How a section was entered: [`Outer`], [`Nested`] or [`Dynamic`].
///
/// The trait is sealed. A function that stores in the section of its caller has a type parameter
/// `L: Nesting`:
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// use lazy_mmu::{LazyMmu, Nesting};
///
/// type Mmu = lazy_mmu::sim::Sim;
///
/// fn map<L: Nesting>(mmu: &mut LazyMmu<'_, L, Mmu>, slot: &AtomicU64) {
///     mmu.write(slot, Leaf::page(0x4000_0000, KERNEL_DATA));
/// }
///
/// let slot = AtomicU64::new(0);
/// lazy_mmu::with::<Mmu, _>(|mmu| {
///     map(mmu, &slot);
///     map(&mut mmu.nest(), &slot);
/// });
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the nesting of a lazy MMU section",
    label = "expected `Outer`, `Nested` or `Dynamic`",
    note = "`Nesting` is sealed, because the type decides whether leaving the section ends the \
            mode; in a generic function use a type parameter, `L: Nesting`"
)]
pub trait Nesting: sealed::Sealed {
    /// The nesting of a section that is opened inside this section.
    type Nested: Nesting;
}

/// The section was entered through the task handle ([`Task::enter`](crate::Task::enter)).
///
/// The section is normally the outermost section of the thread. A caller may also have opened a
/// section by the attribute or by a closure form, or may have paused the mode. Then leaving this
/// section only flushes. The bits of the thread record which case applies.
///
/// A structure that owns its section names the type:
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// use lazy_mmu::sim::{pairs, take_trace};
/// use lazy_mmu::{LazyMmu, Outer, Task};
///
/// type Mmu = lazy_mmu::sim::Sim;
///
/// /// Changes to page tables, which become visible together.
/// struct Changes<'a> {
///     mmu: LazyMmu<'a, Outer, Mmu>,
/// }
///
/// # let slot = AtomicU64::new(0);
/// // SAFETY: this is the only handle of this thread.
/// let mut task = unsafe { Task::<Mmu>::current() };
/// let mut changes = Changes { mmu: task.enter() };
/// changes.mmu.write(&slot, Leaf::page(0x4000_0000, KERNEL_DATA));
/// assert_eq!(pairs(&take_trace()), 0);
/// drop(changes);
/// assert_eq!(pairs(&take_trace()), 1);
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Outer;

/// The section was opened inside another section ([`LazyMmu::nest`](crate::LazyMmu::nest)).
///
/// Entering executes no instruction. Leaving flushes, and never ends the mode.
///
/// A function that opens a section inside its caller's, and returns the guard, names the type:
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// use lazy_mmu::sim::{pairs, take_trace};
/// use lazy_mmu::{LazyMmu, Nested, Outer, Task};
///
/// type Mmu = lazy_mmu::sim::Sim;
///
/// fn for_allocator<'a>(caller: &'a mut LazyMmu<'_, Outer, Mmu>) -> LazyMmu<'a, Nested, Mmu> {
///     caller.nest()
/// }
///
/// # let slot = AtomicU64::new(0);
/// // SAFETY: this is the only handle of this thread.
/// let mut task = unsafe { Task::<Mmu>::current() };
/// let mut mmu = task.enter();
/// let mut inner = for_allocator(&mut mmu);
/// inner.write(&slot, Leaf::page(0x4000_0000, KERNEL_DATA));
/// inner.leave();
/// assert_eq!(pairs(&take_trace()), 1);
/// assert!(lazy_mmu::is_active::<Mmu>()); // The mode continues.
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Nested;

/// The section was entered where its nesting is not known at compile time.
///
/// The closure forms, for example [`with`](crate::with), and the attribute open such sections.
/// Whether the section is outermost, nested or [inert](crate::raw::Kind::Inert) is recorded at run
/// time. The body borrows the guard.
///
/// A table of function pointers cannot be generic, so it names the type:
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// use lazy_mmu::sim::{pairs, take_trace};
/// use lazy_mmu::{Dynamic, LazyMmu};
///
/// type Mmu = lazy_mmu::sim::Sim;
///
/// struct Operations {
///     map: fn(&mut LazyMmu<'_, Dynamic, Mmu>, &AtomicU64),
/// }
///
/// let uart = Operations {
///     map: |mmu, slot| mmu.write(slot, Leaf::page(0x0900_0000, KERNEL_DATA)),
/// };
/// let [one, two] = [const { AtomicU64::new(0) }; 2];
/// lazy_mmu::with::<Mmu, _>(|mmu| {
///     (uart.map)(mmu, &one);
///     (uart.map)(mmu, &two);
/// });
/// assert_eq!(pairs(&take_trace()), 1);
/// ```
///
/// [`LazyMmu::erase`](crate::LazyMmu::erase) lends an [`Outer`] or [`Nested`] section as a
/// `Dynamic` one.
#[derive(Debug)]
#[non_exhaustive]
pub struct Dynamic;

impl Nesting for Outer {
    type Nested = Nested;
}

impl Nesting for Nested {
    type Nested = Nested;
}

impl Nesting for Dynamic {
    type Nested = Dynamic;
}

pub(crate) mod sealed {
    use super::{Dynamic, Nested, Outer};

    /// The facts that a guard needs about its type parameter.
    pub trait Sealed {
        /// Whether leaving the section ends the mode, if the bits of the thread say that it does.
        const MAY_END: bool = false;
        /// Whether the section may be inert. The guard of an inert section has the inert bits.
        const MAY_BE_INERT: bool = false;
    }

    impl Sealed for Outer {
        const MAY_END: bool = true;
    }

    impl Sealed for Nested {}

    impl Sealed for Dynamic {
        const MAY_BE_INERT: bool = true;
    }
}
