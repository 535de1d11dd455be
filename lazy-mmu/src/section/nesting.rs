//! How a section was entered, as a type: it decides what the leave does.
//!
//! Separate from the guard because `Drop` cannot be implemented for one of the types only: the
//! guard asks its type.

/// How a section was entered: [`Outer`], [`Nested`] or [`Dynamic`]. Sealed.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say how a lazy MMU section was entered",
    label = "expected `Outer`, `Nested` or `Dynamic`",
    note = "no other type can stand here, because it decides whether a leave ends the mode"
)]
pub trait Nesting: sealed::Sealed {
    /// How a section that is nested in this one is entered.
    type Nested: Nesting;
}

/// Entered through the task's handle ([`Task::enter`](crate::Task::enter)).
///
/// Normally the outermost section of the thread. If a caller has opened a section already, by the
/// attribute or the closure form, or has paused the mode, the thread's bits say so, and the leave
/// of this one only flushes.
#[derive(Debug)]
#[non_exhaustive]
pub struct Outer;

/// Borrowed from an open section ([`LazyMmu::nest`](crate::LazyMmu::nest)). Entering executes no
/// instruction. Leaving flushes, and never ends the mode.
#[derive(Debug)]
#[non_exhaustive]
pub struct Nested;

/// Entered where the context is not known at compile time: by [`with`](crate::with) and by the
/// attribute. Whether the section is outermost, nested or [inert](crate::raw::Kind::Inert) is
/// recorded at run time; the body borrows the guard.
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

    /// What a guard asks.
    pub trait Sealed {
        /// Whether its leave ends the mode, if the bits say so.
        const MAY_END: bool = false;
        /// Whether it may have had no effect on the thread: then its bits are the inert ones.
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
