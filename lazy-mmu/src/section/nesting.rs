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
#[derive(Debug)]
#[non_exhaustive]
pub struct Outer;

/// The section was opened inside another section ([`LazyMmu::nest`](crate::LazyMmu::nest)).
///
/// Entering executes no instruction. Leaving flushes, and never ends the mode.
#[derive(Debug)]
#[non_exhaustive]
pub struct Nested;

/// The section was entered where its nesting is not known at compile time.
///
/// The closure forms, for example [`with`](crate::with), and the attribute open such sections.
/// Whether the section is outermost, nested or [inert](crate::raw::Kind::Inert) is recorded at run
/// time. The body borrows the guard.
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
