//! The state machine, and its bare token for FFI.
//!
//! Everything else in the crate is a typed form of the four functions here. They are `unsafe` because a bare
//! [`State`] can be leaked, or passed out of order, and then a barrier is lost or the mode stays on. Use them where
//! no guard can live: at the border to C or assembly.
//!
//! ```
//! use lazy_mmu::raw::{self, State};
//! use lazy_mmu::sim::Sim;
//!
//! /// Enters a section; to be called from C, which passes the state to the matching `mmu_leave`.
//! #[unsafe(no_mangle)]
//! extern "C" fn mmu_enter() -> State {
//!     // SAFETY: the C side passes every state to the matching leave, in order, on the same thread.
//!     unsafe { raw::enter::<Sim>() }
//! }
//!
//! #[unsafe(no_mangle)]
//! extern "C" fn mmu_leave(state: State) {
//!     // SAFETY: as above.
//!     unsafe { raw::leave::<Sim>(state) }
//! }
//! # mmu_leave(mmu_enter());
//! ```
//!
//! # The state machine
//!
//! Three [bits](crate::Bits) a thread, and a token. All of it:
//!
//! | operation | |
//! |---|---|
//! | enter | in an interrupt, or `PAUSED`: *Inert*. Else `ACTIVE` is set: it was set before → *Nested*, it was not → *Outer* |
//! | leave | *Inert*: nothing. Else, if `PENDING`: clear it, then the barrier pair. Then *Outer*: clear `ACTIVE` |
//! | store | the descriptor first. Then, if it needs the pair: `PENDING` set → done; `ACTIVE` and not `PAUSED` → set `PENDING`; else the pair at once. Through an *Inert* section, and without a section in an interrupt: the pair at once |
//! | flush | *Inert*, and without a section in an interrupt: nothing. Else, if `PENDING`: clear it, then the pair |
//!
//! Every leave that is not inert emits what is due, at every level, because the caller may use the mapping when the function that opened the
//! section returns; only the outermost ends the mode. What enter did is in the token, so that leave
//! undoes exactly that, though the context has changed in between (softirqs disabled, say).
//!
//! # Exception handlers
//!
//! An *interrupt* handler neither sees nor changes the bits of the thread that it interrupted. A *synchronous
//! exception* handler runs on behalf of the thread: its section is Nested in the thread's, and flushes when it is
//! left. Such a handler must open a section for its stores: a deferred store without one, made just where the
//! thread is leaving its outermost section, would have nobody left to emit its pair.

use core::marker::PhantomData;
use core::sync::atomic::{Ordering, compiler_fence};

use crate::backend::{Backend, Event};
use crate::bits::{Bits, Storage};

/// What [`enter`] did; the matching [`leave`] consumes it.
///
/// Neither `Clone` nor `Copy`, not made outside this crate, and not `Send`: the thread that entered leaves. Of the size
/// and alignment of a C `uint8_t`, so that it can cross an FFI boundary by value.
#[must_use = "a state that is not passed to `leave` loses the section's barriers and leaves the mode on"]
#[repr(transparent)]
#[derive(Debug)]
pub struct State {
    kind: Kind,
    _thread: BoundToThread,
}

impl State {
    /// What enter did.
    #[inline]
    pub fn kind(&self) -> Kind {
        self.kind
    }
}

/// The token of an enter that did `kind`. No associated function: rustc would suggest it to whoever forges a token.
#[inline]
pub(crate) fn state(kind: Kind) -> State {
    State {
        kind,
        _thread: BoundToThread::HERE,
    }
}

/// What must stay on its thread, because the bits that it changes are that thread's: neither `Send` nor `Sync`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BoundToThread(PhantomData<*mut ()>);

impl BoundToThread {
    /// To the thread that makes it.
    pub(crate) const HERE: Self = Self(PhantomData);
}

/// What entering a section did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// The thread was in no section: this is the outermost, and its leave ends the mode.
    Outer,
    /// The thread was in a section: leave flushes, and the mode goes on.
    Nested,
    /// The mode could not be entered (interrupt, or paused): stores are immediate, leave does nothing.
    Inert,
}

/// Enters a section on the current thread.
///
/// # Safety
///
/// The returned state is passed to [`leave`] of the same backend
///
/// * exactly once, on every path, an error's and a panic's too;
/// * on the same thread, in the context in which it was entered (not by a handler that interrupted it);
/// * in order: states of sections entered later are left first.
#[inline]
pub unsafe fn enter<B: Backend>() -> State {
    let (bits, in_interrupt) = B::context();
    enter_at::<B>(bits, in_interrupt)
}

/// Leaves the section for which `state` was returned: emits what is due, and, if it was the outermost, ends the mode.
///
/// # Safety
///
/// As promised for the [`enter`] that returned `state`.
#[inline]
#[expect(
    clippy::needless_pass_by_value,
    reason = "the state is consumed: it must not be left twice"
)]
pub unsafe fn leave<B: Backend>(state: State) {
    leave_at::<B>(B::current(), state.kind);
}

#[inline]
pub(crate) fn enter_at<B: Backend>(bits: B::Storage, in_interrupt: bool) -> State {
    let kind = if in_interrupt || bits.load().contains(Bits::PAUSED) {
        Kind::Inert
    } else if bits.set(Bits::ACTIVE).contains(Bits::ACTIVE) {
        Kind::Nested
    } else {
        Kind::Outer
    };
    B::observe(Event::Enter(kind));
    state(kind)
}

#[inline]
pub(crate) fn leave_at<B: Backend>(bits: B::Storage, kind: Kind) {
    if kind != Kind::Inert {
        settle::<B>(bits);
        // The pair first, then the mode: a thread is never outside with a barrier still owed.
        if kind == Kind::Outer {
            bits.clear(Bits::ACTIVE);
        }
    }
    B::observe(Event::Leave(kind));
}

/// Emits the pair if a store awaits it: the flush of a section that is not inert.
#[inline]
pub(crate) fn settle<B: Backend>(bits: B::Storage) {
    // The look first: with nothing pending, which is common, there is no read-modify-write.
    if bits.load().contains(Bits::PENDING) {
        // Cleared first, then the pair: an exception handler in between finds nothing pending, and what it
        // stores itself it flushes itself.
        bits.clear(Bits::PENDING);
        B::barrier();
    }
}

/// Defers the pair of a store that has been made, or emits it where the mode does not defer.
///
/// Not for inert sections: these may stand in an interrupt, whose pair must not wait for the interrupted thread.
#[inline]
pub(crate) fn defer<B: Backend>(bits: B::Storage) {
    // The descriptor was stored before, and the compiler leaves it there: an exception handler that flushes between
    // the store and the look has covered the store; between the look and the store it would not have.
    compiler_fence(Ordering::SeqCst);
    let now = bits.load();
    if now.contains(Bits::PENDING) {
        return;
    }
    if now.defers() {
        bits.set(Bits::PENDING);
    } else {
        B::barrier();
    }
}
