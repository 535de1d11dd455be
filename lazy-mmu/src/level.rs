//! The levels of a section, as types: where it was entered decides what its guard carries and what its leave does.
//!
//! Separate from the guard because `Drop` cannot be implemented for one level only: the guard asks its level.

use core::fmt;
use core::mem;

use crate::backend::Backend;
use crate::bits::Storage;
use crate::raw::{self, BoundToThread, Kind, State};

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

/// Entered where the context is not known at compile time: by [`with`](crate::with) and by the attribute. They keep
/// what its enter did, which may be [inert](Kind::Inert); the guard is a view of the section.
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

/// What the root of a lineage keeps, in a byte: which token it was entered with, if it is open, and whether a section of the
/// lineage was paused and that pause is still on.
///
/// For a section that is entered through a task's handle it lies in the handle, in case the guard is forgotten; for one that
/// is entered by the closure form or the attribute beside its token, which cannot be forgotten. The guards borrow it.
#[derive(Default, PartialEq, Eq)]
pub struct Root(u8);

impl Root {
    /// No section is open.
    const CLOSED: u8 = 0;
    /// The lower bits: the token's [`Kind`], or [`CLOSED`](Self::CLOSED).
    const KIND: u8 = 0b011;
    const PAUSED: u8 = 0b100;

    const OUTER: Self = Self(Kind::Outer as u8);

    /// That of a section that was entered with `state`.
    #[inline]
    fn entered(state: &State) -> Self {
        Self(state.kind() as u8)
    }

    /// The token of the section that has not been left.
    #[inline]
    fn kind(&self) -> Option<Kind> {
        match self.0 & Self::KIND {
            Self::CLOSED => None,
            it if it == Kind::Outer as u8 => Some(Kind::Outer),
            it if it == Kind::Nested as u8 => Some(Kind::Nested),
            _ => Some(Kind::Inert),
        }
    }

    #[inline]
    pub(crate) fn is_open(&self) -> bool {
        self.0 & Self::KIND != Self::CLOSED
    }

    /// Whether a section of the lineage was paused, and that pause is still on.
    #[inline]
    pub(crate) fn is_paused(&self) -> bool {
        self.0 & Self::PAUSED != 0
    }

    /// Notes that a pause has begun.
    #[inline]
    pub(crate) fn pause(&mut self) {
        self.0 |= Self::PAUSED;
    }

    /// Ends the pause, if there is one.
    #[inline]
    pub(crate) fn resume<B: Backend>(&mut self, bits: B::Storage) {
        if self.is_paused() {
            self.0 &= !Self::PAUSED;
            raw::resume_at::<B>(bits, Kind::Outer);
        }
    }

    /// Enters a section through a task's handle. If the guard of one that was entered before has been forgotten, it is left
    /// first.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "the common way is six instructions")]
    pub(crate) fn enter<B: Backend>(&mut self, bits: B::Storage) {
        let idle = raw::enter_if_idle::<B>(bits, || {
            // Nothing is to be done for a forgotten guard: its section did not begin the mode, and what did has ended. But
            // for the record.
            if let Some(kind) = self.kind() {
                raw::observe_leave::<B>(kind);
            }
        });
        *self = if idle.is_some() {
            Self::OUTER
        } else {
            // In line, though it is rare: a call would make every function that enters save registers.
            raw::rare();
            mem::take(self).enter_again::<B>(bits)
        };
    }

    /// Enters where the thread is not idle: in a section of a caller's, or paused, or after a guard of this handle that was
    /// forgotten.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "for `enter`, which must not call")]
    fn enter_again<B: Backend>(mut self, bits: B::Storage) -> Self {
        if let Some(kind) = self.kind() {
            self.resume::<B>(bits);
            if raw::stands_in::<B>(bits, kind) {
                return self;
            }
        }
        // No look at the interrupt state: the handle of a task is not used in one.
        Self::entered(&raw::enter_at::<B>(bits, false))
    }

    /// Leaves the section of a task's handle, if there is one.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "as for `enter`")]
    pub(crate) fn leave<B: Backend>(&mut self, bits: B::Storage) {
        let left = mem::take(self);
        if left == Self::OUTER {
            // By far the most common: it began the mode, and is not paused.
            raw::leave_at::<B>(bits, Kind::Outer, || {});
        } else {
            left.leave_out_of_line::<B>(bits);
        }
    }

    #[cold]
    #[inline(never)]
    fn leave_out_of_line<B: Backend>(self, bits: B::Storage) {
        self.leave_slowly::<B>(bits);
    }

    /// [`leave`](Self::leave), whatever the token is.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "for `enter`, which must not call")]
    fn leave_slowly<B: Backend>(mut self, bits: B::Storage) {
        let Some(kind) = self.kind() else { return };
        self.resume::<B>(bits);
        if kind == Kind::Inert {
            // It was entered while the mode was paused. The handle of a task is not used in an
            // interrupt, so what is pending is the task's.
            raw::settle::<B>(bits);
            raw::observe_leave::<B>(kind);
        } else {
            raw::leave_at::<B>(bits, kind, || {});
        }
    }
}

impl fmt::Debug for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Root")
            .field("open", &self.kind())
            .field("paused", &self.is_paused())
            .finish()
    }
}

/// The section of the closure form or of the attribute: its token, and what its lineage remembers. Its drop leaves.
///
/// Not for users, who could forget it. What they get is a [view](Self::view).
#[derive(Debug)]
pub struct DynamicSection<B: Backend> {
    bits: Reach<B::Storage>,
    /// Whether it began the mode. Not in the root: nobody borrows it, so it stays in a register.
    outermost: bool,
    /// For the pauses alone.
    root: Root,
    _thread: BoundToThread,
}

impl<B: Backend> DynamicSection<B> {
    /// Enters in whatever context this is.
    #[inline]
    pub(crate) fn enter() -> Self {
        let (bits, in_interrupt) = B::context();
        let state = raw::enter_at::<B>(bits, in_interrupt);
        let kind = state.kind();
        Self {
            bits: Reach::new((kind != Kind::Inert).then_some(bits)),
            outermost: kind == Kind::Outer,
            root: Root::default(),
            _thread: BoundToThread::HERE,
        }
    }

    /// The token of a guard that stands for this section.
    #[inline]
    pub(crate) fn view(&mut self) -> DynamicToken<'_, B::Storage> {
        DynamicToken {
            bits: self.bits,
            root: Some(&mut self.root),
        }
    }
}

impl<B: Backend> Drop for DynamicSection<B> {
    #[inline]
    fn drop(&mut self) {
        leave_dynamic::<B>(self.bits, self.outermost, mem::take(&mut self.root));
    }
}

/// Out of line: a function with such a section ends with a jump to this.
#[inline(never)]
fn leave_dynamic<B: Backend>(bits: Reach<B::Storage>, outermost: bool, mut root: Root) {
    let thread = bits.bits();
    if root.is_paused() {
        raw::rare();
        root.resume::<B>(thread.unwrap_or_else(B::current));
    }
    match thread {
        None => raw::leave_inert::<B>(),
        Some(bits) if outermost => raw::leave_at::<B>(bits, Kind::Outer, || {}),
        Some(bits) => raw::leave_at::<B>(bits, Kind::Nested, || {}),
    }
}

/// What the guard of an [`Outer`] section carries.
#[derive(Debug)]
pub struct OuterToken<'a, S> {
    bits: S,
    root: &'a mut Root,
}

impl<'a, S: Storage> OuterToken<'a, S> {
    #[inline]
    pub(crate) fn new(bits: S, root: &'a mut Root) -> Self {
        Self { bits, root }
    }
}

/// What the guard of a [`Nested`] section carries: no token, only where a pause is remembered.
#[derive(Debug)]
pub struct NestedToken<'a, S> {
    bits: S,
    root: Option<&'a mut Root>,
}

/// The thread's bits, or, in a section that is inert, [nobody's](Storage::nobodys).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reach<S>(S);

impl<S: Storage> Reach<S> {
    #[inline]
    pub(crate) fn new(bits: Option<S>) -> Self {
        Self(bits.unwrap_or_else(S::nobodys))
    }

    /// `None` in a section that is inert.
    #[inline]
    pub(crate) fn bits(self) -> Option<S> {
        (self.0 != S::nobodys()).then_some(self.0)
    }

    /// The bits on which a store relies.
    #[inline]
    pub(crate) fn of_store(self) -> S {
        self.0
    }
}

/// What the guard of a [`Dynamic`] section carries.
#[derive(Debug)]
pub struct DynamicToken<'a, S> {
    bits: Reach<S>,
    root: Option<&'a mut Root>,
}

pub(crate) mod sealed {
    use super::{
        Backend, Dynamic, DynamicToken, Kind, Level, Nested, NestedToken, Outer, OuterToken, Root,
        Storage, raw,
    };

    /// What a guard needs of its level.
    pub trait Sealed: Sized {
        /// What the guard carries, two words at most if the storage's handle is a pointer.
        type Token<'a, S: Storage>;

        /// The thread's bits; `None` if the section had no effect on the thread, so that its stores must not rely on them.
        fn bits<S: Storage>(token: &Self::Token<'_, S>) -> Option<S>;

        /// The bits on which a store relies: those, or [nobody's](Storage::nobodys).
        fn bits_of_store<S: Storage>(token: &Self::Token<'_, S>) -> S;

        /// Where the section remembers that it was paused, in case the pause is forgotten.
        ///
        /// That is at the root of the lineage, for a section that is forgotten too remembers nothing. `None` if a
        /// forgotten pause was in effect when this section was entered: it lasts longer, so there is nothing to remember.
        fn root<'t, S: Storage>(token: &'t mut Self::Token<'_, S>) -> Option<&'t mut Root>;

        /// The token of a section nested in this one.
        fn nest<'n, S: Storage>(
            token: &'n mut Self::Token<'_, S>,
        ) -> <<Self as Level>::Nested as Sealed>::Token<'n, S>
        where
            Self: Level;

        /// Leaves the section; called once, by the guard's drop.
        fn leave<B: Backend>(token: &mut Self::Token<'_, B::Storage>);
    }

    /// The memory of the pauses of a section nested in one that remembers them here.
    #[inline]
    fn unless_paused(root: &mut Root) -> Option<&mut Root> {
        if root.is_paused() { None } else { Some(root) }
    }

    impl Sealed for Outer {
        type Token<'a, S: Storage> = OuterToken<'a, S>;

        /// Always: a task's handle is not used in an interrupt. And where the mode was paused, the bits say it.
        #[inline]
        fn bits<S: Storage>(token: &OuterToken<'_, S>) -> Option<S> {
            Some(token.bits)
        }

        #[inline]
        fn bits_of_store<S: Storage>(token: &OuterToken<'_, S>) -> S {
            token.bits
        }

        #[inline]
        fn root<'t, S: Storage>(token: &'t mut OuterToken<'_, S>) -> Option<&'t mut Root> {
            Some(token.root)
        }

        #[inline]
        fn nest<'n, S: Storage>(token: &'n mut OuterToken<'_, S>) -> NestedToken<'n, S> {
            NestedToken {
                bits: token.bits,
                root: unless_paused(token.root),
            }
        }

        #[inline]
        fn leave<B: Backend>(token: &mut OuterToken<'_, B::Storage>) {
            token.root.leave::<B>(token.bits);
        }
    }

    impl Sealed for Nested {
        type Token<'a, S: Storage> = NestedToken<'a, S>;

        /// Always: it is borrowed from a section that has them.
        #[inline]
        fn bits<S: Storage>(token: &NestedToken<'_, S>) -> Option<S> {
            Some(token.bits)
        }

        #[inline]
        fn bits_of_store<S: Storage>(token: &NestedToken<'_, S>) -> S {
            token.bits
        }

        #[inline]
        fn root<'t, S: Storage>(token: &'t mut NestedToken<'_, S>) -> Option<&'t mut Root> {
            token.root.as_deref_mut()
        }

        #[inline]
        fn nest<'n, S: Storage>(token: &'n mut NestedToken<'_, S>) -> NestedToken<'n, S> {
            NestedToken {
                bits: token.bits,
                root: token.root.as_deref_mut().and_then(unless_paused),
            }
        }

        #[inline]
        fn leave<B: Backend>(token: &mut NestedToken<'_, B::Storage>) {
            raw::leave_at::<B>(token.bits, Kind::Nested, || {
                if let Some(root) = &mut token.root {
                    root.resume::<B>(token.bits);
                }
            });
        }
    }

    impl Sealed for Dynamic {
        type Token<'a, S: Storage> = DynamicToken<'a, S>;

        #[inline]
        fn bits<S: Storage>(token: &DynamicToken<'_, S>) -> Option<S> {
            token.bits.bits()
        }

        #[inline]
        fn bits_of_store<S: Storage>(token: &DynamicToken<'_, S>) -> S {
            token.bits.of_store()
        }

        #[inline]
        fn root<'t, S: Storage>(token: &'t mut DynamicToken<'_, S>) -> Option<&'t mut Root> {
            token.root.as_deref_mut()
        }

        /// Nested, or inert in an inert one: there a PENDING may belong to the thread that was interrupted.
        #[inline]
        fn nest<'n, S: Storage>(token: &'n mut DynamicToken<'_, S>) -> DynamicToken<'n, S> {
            DynamicToken {
                bits: token.bits,
                root: token.root.as_deref_mut().and_then(unless_paused),
            }
        }

        #[inline]
        fn leave<B: Backend>(token: &mut DynamicToken<'_, B::Storage>) {
            let mut resume = |bits| {
                if let Some(root) = &mut token.root {
                    root.resume::<B>(bits);
                }
            };
            if let Some(bits) = token.bits.bits() {
                raw::leave_at::<B>(bits, Kind::Nested, || resume(bits));
            } else {
                resume(B::current());
                raw::leave_inert::<B>();
            }
        }
    }
}
