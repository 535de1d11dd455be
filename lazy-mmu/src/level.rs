//! The levels of a section, as types: where it was entered decides what its guard carries and what its leave does.
//!
//! Separate from the guard because `Drop` cannot be implemented for one level only: the guard asks its level.

use crate::backend::Backend;
use crate::raw::{self, Kind, State};

/// How a section was entered: [`Outer`], [`Nested`] or [`Dynamic`]. Sealed.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the level of a lazy MMU section",
    label = "the levels are `Outer`, `Nested` and `Dynamic`",
    note = "no other type can be one: the level decides whether a leave ends the mode"
)]
pub trait Level: sealed::Sealed {
    /// The level of a section that is nested in one of this level.
    type Nested: Level;
}

/// The root of a lineage: entered through the handle of the task ([`Task::enter`](crate::Task::enter)).
///
/// Normally the outermost section of the thread. Where a caller further up has opened one already, with the attribute
/// or the closure form, its token says so, and its leave only flushes.
#[derive(Debug)]
#[non_exhaustive]
pub struct Outer;

/// Borrowed from an open section ([`LazyMmu::nest`](crate::LazyMmu::nest)). It enters for nothing and carries no
/// token: its leave flushes, and never ends the mode.
#[derive(Debug)]
#[non_exhaustive]
pub struct Nested;

/// Entered where the context is not known at compile time: by [`with`](crate::with) and by the attribute. The
/// guard carries the token of its own enter, which may be [inert](Kind::Inert).
#[derive(Debug)]
#[non_exhaustive]
pub struct Dynamic;

impl Level for Outer {
    type Nested = Nested;
}

impl Level for Nested {
    type Nested = Nested;
}

impl Level for Dynamic {
    type Nested = Dynamic;
}

/// The slot in which a task's handle keeps the token of its open section.
pub(crate) type OpenSection = Option<State>;

pub(crate) mod sealed {
    use super::{Backend, Dynamic, Level, Nested, OpenSection, Outer, State};

    /// What a guard needs of its level.
    pub trait Sealed: Sized {
        /// What the guard carries.
        type Token<'a>;

        /// Whether the section had no effect on the thread, so that its stores must not rely on the thread's bits.
        fn is_inert(token: &Self::Token<'_>) -> bool;

        /// The token of a section nested in this one.
        fn nest<'n>(token: &Self::Token<'_>) -> <<Self as Level>::Nested as Sealed>::Token<'n>
        where
            Self: Level;

        /// Leaves the section; called once, by the guard's drop.
        fn leave<B: Backend>(bits: B::Storage, token: &mut Self::Token<'_>);
    }

    impl Sealed for Outer {
        type Token<'a> = &'a mut OpenSection;

        /// Never: a task's handle is not used in an interrupt. And where the mode was paused, the bits say it.
        #[inline]
        fn is_inert(_: &Self::Token<'_>) -> bool {
            false
        }

        #[inline]
        fn nest<'n>(_: &Self::Token<'_>) -> <Nested as Sealed>::Token<'n> {}

        #[inline]
        fn leave<B: Backend>(bits: B::Storage, token: &mut Self::Token<'_>) {
            super::leave_open::<B>(bits, token);
        }
    }

    impl Sealed for Nested {
        type Token<'a> = ();

        /// Never: it is borrowed from a section that is not.
        #[inline]
        fn is_inert((): &()) -> bool {
            false
        }

        #[inline]
        fn nest<'n>((): &()) -> <Nested as Sealed>::Token<'n> {}

        #[inline]
        fn leave<B: Backend>(bits: B::Storage, (): &mut ()) {
            super::raw::leave_at::<B>(bits, super::Kind::Nested);
        }
    }

    impl Sealed for Dynamic {
        type Token<'a> = State;

        #[inline]
        fn is_inert(token: &State) -> bool {
            token.kind() == super::Kind::Inert
        }

        /// Nested, or inert in an inert one: there a PENDING may belong to the thread that was interrupted.
        #[inline]
        fn nest<'n>(token: &State) -> <Dynamic as Sealed>::Token<'n> {
            super::raw::state(token.kind().max(super::Kind::Nested))
        }

        #[inline]
        fn leave<B: Backend>(bits: B::Storage, token: &mut State) {
            super::raw::leave_at::<B>(bits, token.kind());
        }
    }
}

/// Leaves the section whose token a task's handle keeps, if there is one.
#[inline]
pub(crate) fn leave_open<B: Backend>(bits: B::Storage, open: &mut OpenSection) {
    if let Some(state) = open.take() {
        if state.kind() == Kind::Inert {
            // It was entered while the mode was paused. If the pause has ended meanwhile its stores may have been
            // deferred into a section further up; they must not wait for that one.
            raw::settle::<B>(bits);
        }
        raw::leave_at::<B>(bits, state.kind());
    }
}
