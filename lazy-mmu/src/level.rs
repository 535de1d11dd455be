//! The levels of a section, as types: where it was entered decides what its guard carries and what its leave does.
//!
//! Separate from the guard because `Drop` cannot be implemented for one level only: the guard asks its level.

use crate::backend::Backend;
use crate::pause::OpenPause;
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

/// What a task's handle keeps of its open section, in case the guard is forgotten. The guard borrows it.
#[derive(Debug, Default)]
pub struct OpenSection {
    state: Option<State>,
    pause: OpenPause,
}

impl OpenSection {
    /// Remembers the token of a section that has been entered.
    #[inline]
    pub(crate) fn enter(&mut self, state: State) {
        self.state = Some(state);
    }

    /// Whether there is a section that has not been left.
    #[inline]
    pub(crate) fn is_open(&self) -> bool {
        self.state.is_some()
    }

    /// Leaves the section, if there is one.
    #[inline]
    pub(crate) fn leave<B: Backend>(&mut self, bits: B::Storage) {
        if let Some(state) = self.state.take() {
            self.pause.resume::<B>(bits);
            if state.kind() == Kind::Inert {
                // It was entered while the mode was paused. If the pause has ended meanwhile its stores may have been
                // deferred into a section further up; they must not wait for that one.
                raw::settle::<B>(bits);
            }
            raw::leave_at::<B>(bits, state.kind());
        }
    }
}

/// What the guard of a [`Dynamic`] section carries.
#[derive(Debug)]
pub struct DynamicToken<'a> {
    state: State,
    pause: DynamicPause<'a>,
    /// It belongs to another guard, which leaves.
    view: bool,
}

/// Where a [`Dynamic`] section remembers its pause.
#[derive(Debug)]
enum DynamicPause<'a> {
    /// It was entered by the closure form or the attribute: in its guard, which cannot be forgotten.
    Own(OpenPause),
    /// It was made by `nest`, or is a view: where the section does that it was made from.
    Around(Option<&'a mut OpenPause>),
}

impl DynamicToken<'_> {
    #[inline]
    pub(crate) fn new(state: State) -> Self {
        Self {
            state,
            pause: DynamicPause::Own(OpenPause::default()),
            view: false,
        }
    }

    /// The same section's token for a guard that does not leave.
    #[inline]
    pub(crate) fn view(&mut self) -> DynamicToken<'_> {
        DynamicToken {
            state: raw::state(self.state.kind()),
            pause: DynamicPause::Around(<Dynamic as sealed::Sealed>::open_pause(self)),
            view: true,
        }
    }
}

pub(crate) mod sealed {
    use super::{
        Backend, Dynamic, DynamicPause, DynamicToken, Kind, Level, Nested, OpenPause, OpenSection,
        Outer, raw,
    };

    /// What a guard needs of its level.
    pub trait Sealed: Sized {
        /// What the guard carries.
        type Token<'a>;

        /// Whether the section had no effect on the thread, so that its stores must not rely on the thread's bits.
        fn is_inert(token: &Self::Token<'_>) -> bool;

        /// Whether dropping the guard emits what is due.
        fn drop_flushes(token: &Self::Token<'_>) -> bool;

        /// Where the section remembers that it was paused, in case the pause is forgotten.
        ///
        /// That is at the root of the lineage, for a section that is forgotten too remembers nothing. `None` if a
        /// forgotten pause was in effect when this section was entered: it lasts longer, so there is nothing to remember.
        fn open_pause<'t>(token: &'t mut Self::Token<'_>) -> Option<&'t mut OpenPause>;

        /// The token of a section nested in this one.
        fn nest<'n>(
            token: &'n mut Self::Token<'_>,
        ) -> <<Self as Level>::Nested as Sealed>::Token<'n>
        where
            Self: Level;

        /// Leaves the section; called once, by the guard's drop.
        fn leave<B: Backend>(bits: B::Storage, token: &mut Self::Token<'_>);
    }

    /// The memory of the pauses of a section nested in one that remembers them here.
    #[inline]
    fn unless_open(pause: &mut OpenPause) -> Option<&mut OpenPause> {
        if pause.is_open() { None } else { Some(pause) }
    }

    impl Sealed for Outer {
        type Token<'a> = &'a mut OpenSection;

        /// Never: a task's handle is not used in an interrupt. And where the mode was paused, the bits say it.
        #[inline]
        fn is_inert(_: &Self::Token<'_>) -> bool {
            false
        }

        #[inline]
        fn drop_flushes(_: &Self::Token<'_>) -> bool {
            true
        }

        #[inline]
        fn open_pause<'t>(token: &'t mut Self::Token<'_>) -> Option<&'t mut OpenPause> {
            Some(&mut token.pause)
        }

        #[inline]
        fn nest<'n>(token: &'n mut Self::Token<'_>) -> <Nested as Sealed>::Token<'n> {
            unless_open(&mut token.pause)
        }

        #[inline]
        fn leave<B: Backend>(bits: B::Storage, token: &mut Self::Token<'_>) {
            token.leave::<B>(bits);
        }
    }

    impl Sealed for Nested {
        /// No token: only where a pause is remembered.
        type Token<'a> = Option<&'a mut OpenPause>;

        /// Never: it is borrowed from a section that is not.
        #[inline]
        fn is_inert(_: &Self::Token<'_>) -> bool {
            false
        }

        #[inline]
        fn drop_flushes(_: &Self::Token<'_>) -> bool {
            true
        }

        #[inline]
        fn open_pause<'t>(token: &'t mut Self::Token<'_>) -> Option<&'t mut OpenPause> {
            token.as_deref_mut()
        }

        #[inline]
        fn nest<'n>(token: &'n mut Self::Token<'_>) -> <Nested as Sealed>::Token<'n> {
            token.as_deref_mut().and_then(unless_open)
        }

        #[inline]
        fn leave<B: Backend>(bits: B::Storage, token: &mut Self::Token<'_>) {
            if let Some(pause) = token {
                pause.resume::<B>(bits);
            }
            raw::leave_at::<B>(bits, Kind::Nested);
        }
    }

    impl Sealed for Dynamic {
        type Token<'a> = DynamicToken<'a>;

        #[inline]
        fn is_inert(token: &DynamicToken<'_>) -> bool {
            token.state.kind() == Kind::Inert
        }

        #[inline]
        fn drop_flushes(token: &DynamicToken<'_>) -> bool {
            !token.view && !Self::is_inert(token)
        }

        #[inline]
        fn open_pause<'t>(token: &'t mut DynamicToken<'_>) -> Option<&'t mut OpenPause> {
            match &mut token.pause {
                DynamicPause::Own(pause) => Some(pause),
                DynamicPause::Around(pause) => pause.as_deref_mut(),
            }
        }

        /// Nested, or inert in an inert one: there a PENDING may belong to the thread that was interrupted.
        #[inline]
        fn nest<'n>(token: &'n mut DynamicToken<'_>) -> <Dynamic as Sealed>::Token<'n> {
            DynamicToken {
                state: raw::state(token.state.kind().max(Kind::Nested)),
                pause: DynamicPause::Around(Self::open_pause(token).and_then(unless_open)),
                view: false,
            }
        }

        #[inline]
        fn leave<B: Backend>(bits: B::Storage, token: &mut DynamicToken<'_>) {
            if token.view {
                return;
            }
            if let Some(pause) = Self::open_pause(token) {
                pause.resume::<B>(bits);
            }
            raw::leave_at::<B>(bits, token.state.kind());
        }
    }
}
