//! The state machine, and its bare token for FFI.
//!
//! Everything else in the crate is a typed form of what is here. The functions are `unsafe` because
//! code can leak a bare [`State`], or pass it on out of order, and then a barrier is lost or the
//! mode stays on. Use them where no guard can live: at the border to C or assembly.
//!
//! ```
//! use lazy_mmu::raw::{self, State};
//! use lazy_mmu::sim::Sim;
//!
//! /// # Safety
//! ///
//! /// The state is passed to the matching `mmu_leave`, on every path, in order, on the same thread.
//! #[unsafe(no_mangle)]
//! unsafe extern "C" fn mmu_enter() -> State {
//!     // SAFETY: the caller's promise is the same.
//!     unsafe { raw::enter::<Sim>() }
//! }
//!
//! /// # Safety
//! ///
//! /// `state` is what the matching `mmu_enter` returned, and no other value.
//! #[unsafe(no_mangle)]
//! unsafe extern "C" fn mmu_leave(state: State) {
//!     // SAFETY: the caller's promise is the same.
//!     unsafe { raw::leave::<Sim>(state) }
//! }
//! # // SAFETY: passed on at once.
//! # unsafe { mmu_leave(mmu_enter()) };
//! ```
//!
//! # The state machine
//!
//! Four [bits](crate::Bits) a thread, and a token. All of it:
//!
//! * **enter**: in an interrupt, or if PAUSED is set, the section is *Inert*. Else ACTIVE is set:
//!   if it was set before, the section is *Nested*; if not, *Outermost*.
//! * **join**: if the thread defers (ACTIVE, not PAUSED, not in an interrupt), nothing, and nothing
//!   at the end. Else as enter, and the end is the leave.
//! * **leave**, *Nested*: if PENDING is set, clear it, then the barrier pair. *Outermost*: if
//!   PENDING is set, the pair; then clear all bits but PAUSED, at once. *Inert*: as flush.
//! * **store**: the descriptor first. Then, if it needs the pair: if PENDING is set, done; if the
//!   thread defers, set PENDING; else the pair at once. Through an *Inert* section, and in an
//!   interrupt without a section, the pair at once.
//! * **pause**: in an interrupt *Inert*. Else flush; then, if PAUSED is set, *Nested*; else set it:
//!   *Outermost*.
//! * **resume**: *Outermost*: clear PAUSED. *Inert*: as flush.
//! * **flush**: in an interrupt, through an *Inert* section or without one, nothing. Else, if
//!   PENDING is set, clear it, then the pair.
//!
//! A section that is entered through the task's handle has no token. Its enter sets `OWNED` with
//! `ACTIVE`, if no bit is set. Its leave is that of *Outermost* if `OWNED` is set, else that of
//! *Nested*. Where `OWNED` is set at the enter, the handle's last guard was forgotten; that section
//! is left first, as *Outermost*. It is never *Inert*: its stores ask the bits, so they are
//! immediate only as long as a pause lasts; and it does not ask whether this is an interrupt,
//! because a handle is not used in one.
//!
//! Every leave that is not inert emits what is due, the nested ones too, because the caller may use
//! the mapping when the function that opened the section returns; only the outermost ends the mode.
//! What enter did is in the token, so that leave undoes exactly that, though the context has
//! changed in between (softirqs disabled, say).
//!
//! An *Inert* section, or pause, has changed nothing, so its end has nothing to undo. But the cause
//! may have ended inside it: the stretch with softirqs disabled that counted as an interrupt, or
//! the pause. Stores that the thread made after that were deferred into a section further up, and
//! the end of the inert one emits their pair. (If softirqs are disabled when it ends, it cannot
//! tell whose pair is pending, and leaves it to the section further up.)
//!
//! The guards keep to this, with one addition for the proofs that they hand out: see
//! [`soundness`](crate::soundness), on the proof of a section that is inert.
//!
//! # Exception handlers
//!
//! An *interrupt* handler neither sees nor changes the bits of the thread that it interrupted. A
//! *synchronous exception* handler runs on behalf of the thread: its section is Nested in the
//! thread's, and flushes when it is left. Such a handler must open a section of its own, which does
//! not join, for its stores. A store without one, made just where the thread is leaving its
//! outermost section, may be deferred; then nobody is left to emit its pair, and the loss is
//! silent.
//!
//! The handler's flush emits the pair of its own stores. A store that the thread was just making,
//! or a pair that it was just about to execute, when the exception came, is the thread's own to
//! complete: the handler's flush, and its proof ([`Visible`](crate::Visible)), do not cover that.

use core::sync::atomic::{Ordering, compiler_fence};

use super::backend::{Backend, Machine};
use super::bits::{Bits, Storage};
use super::event::Event;
use super::token::{pause_state, state};

pub use super::token::{Kind, PauseState, State};

/// Enters a section on the current thread.
///
/// # Safety
///
/// The returned state is passed to [`leave`] of the same backend
///
/// * exactly once, on every path, an error's and a panic's too;
/// * on the same thread, in the context in which it was entered (not by a handler that interrupted
///   it);
/// * in order: states of sections entered later are left first.
#[inline]
pub unsafe fn enter<B: Backend>() -> State {
    let (bits, in_interrupt) = B::context();
    state(enter_at::<B>(bits, in_interrupt))
}

/// Leaves the section for which `state` was returned: emits what is due, and, if it was the
/// outermost, ends the mode.
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
    match state.kind() {
        Kind::Outermost => leave_outermost::<B>(B::current()),
        Kind::Nested => leave_nested::<B>(B::current()),
        Kind::Inert => leave_inert::<B>(),
    }
}

/// Pauses the mode on the current thread: emits what is pending; until the resume every store is
/// followed by its pair.
///
/// # Safety
///
/// The returned state is passed to [`resume`] of the same backend, as the state of [`enter`] is
/// passed to [`leave`]; and pauses and sections are left in the opposite order to the one in which
/// they were entered.
#[inline]
pub unsafe fn pause<B: Backend>() -> PauseState {
    let (bits, in_interrupt) = B::context();
    pause_state(pause_at::<B>(bits, in_interrupt))
}

/// Ends the pause for which `state` was returned.
///
/// # Safety
///
/// As promised for the [`pause`] that returned `state`.
#[inline]
#[expect(
    clippy::needless_pass_by_value,
    reason = "the state is consumed: it must not be resumed twice"
)]
pub unsafe fn resume<B: Backend>(state: PauseState) {
    resume_at::<B>(B::current(), state.kind());
}

/// Sets `which` of bits that were `seen` just now.
#[inline]
fn set(bits: impl Storage, seen: Bits, which: Bits) {
    // SAFETY: this is the state machine, and it has just looked.
    unsafe { bits.set(seen, which) };
}

/// Clears `which` of bits that were `seen` just now; returns what is left of them.
#[inline]
fn clear(bits: impl Storage, seen: Bits, which: Bits) -> Bits {
    // SAFETY: this is the state machine, and it has just looked.
    unsafe { bits.clear(seen, which) };
    seen.difference(which)
}

#[inline]
pub(crate) fn enter_at<B: Backend>(bits: B::Storage, in_interrupt: bool) -> Kind {
    let now = bits.load();
    let kind = if in_interrupt || now.contains(Bits::PAUSED) {
        Kind::Inert
    } else if now.contains(Bits::ACTIVE) {
        Kind::Nested
    } else {
        begin::<B>(bits, now, Bits::ACTIVE);
        Kind::Outermost
    };
    B::Machine::observe(Event::Enter(kind));
    kind
}

/// Enters through the task's handle. No guard of the handle lives, because a guard borrows it. So
/// if the bits say that the handle began the mode, its guard was forgotten, and is left first.
#[inline]
pub(crate) fn enter_owned<B: Backend>(bits: B::Storage) {
    const BEGUN: Bits = Bits::ACTIVE.union(Bits::OWNED);

    let now = bits.load();
    let kind = if now == Bits::EMPTY {
        begin::<B>(bits, now, BEGUN);
        Kind::Outermost
    } else {
        // In line, though it is rare: a call would make every function that enters save registers.
        cold_path();
        if now.contains(Bits::OWNED) {
            end::<B>(bits, now);
        }
        if now.contains(Bits::PAUSED) {
            Kind::Inert
        } else if now.contains(Bits::OWNED) {
            begin::<B>(bits, Bits::EMPTY, BEGUN);
            Kind::Outermost
        } else {
            Kind::Nested
        }
    };
    B::Machine::observe(Event::Enter(kind));
}

/// The mode begins: `which` are set.
#[inline]
fn begin<B: Backend>(bits: B::Storage, now: Bits, which: Bits) {
    // The hooks enclose the time in which the bits say that the mode is on, so they enclose an
    // exception handler in between too.
    if B::HAS_HOOKS {
        B::mode_begins();
    }
    set(bits, now, which);
}

/// Leaves the section that began the mode, and ends the mode.
#[inline]
fn end<B: Backend>(bits: B::Storage, now: Bits) {
    if now.contains(Bits::PENDING) {
        B::Machine::barrier();
    }
    // As in `emit_pending`.
    compiler_fence(Ordering::SeqCst);
    // The pair first, then the mode: a thread is never outside with a barrier still owed. All bits
    // at once: an exception handler in between has found that the mode is on, and has flushed its
    // own stores. PAUSED stays, because a pause ends with its own closure.
    let left = clear(
        bits,
        now,
        Bits::ACTIVE.union(Bits::PENDING).union(Bits::OWNED),
    );
    // While it is paused the mode does not defer, and the hook has been called.
    if B::HAS_HOOKS && left == Bits::EMPTY {
        B::mode_ends();
    }
    B::Machine::observe(Event::Leave(Kind::Outermost));
}

/// Leaves a section that was entered as nested.
#[inline]
pub(crate) fn leave_nested<B: Backend>(bits: B::Storage) {
    emit_pending::<B>(bits);
    B::Machine::observe(Event::Leave(Kind::Nested));
}

/// Leaves an inert section. If its cause has ended, stores may have been deferred into a section
/// further up; they must not wait for that one.
#[inline]
pub(crate) fn leave_inert<B: Backend>() {
    emit_after_inert::<B>();
    B::Machine::observe(Event::Leave(Kind::Inert));
}

/// Emits the pair behind an inert section, or an inert pause, whose cause has ended.
#[inline]
fn emit_after_inert<B: Backend>() {
    let (bits, in_interrupt) = B::context();
    // Where the mode is switched off the bits are the inert ones, and this compiles to nothing.
    if !in_interrupt && bits != Storage::inert() {
        emit_pending::<B>(bits);
    }
}

/// Leaves the section that began the mode.
#[inline]
pub(crate) fn leave_outermost<B: Backend>(bits: B::Storage) {
    end::<B>(bits, bits.load());
}

/// Leaves a section that was entered through the task's handle.
#[inline]
pub(crate) fn leave_owned<B: Backend>(bits: B::Storage) {
    let now = bits.load();
    if now.contains(Bits::OWNED) {
        end::<B>(bits, now);
    } else {
        cold_path();
        // It was entered inside a caller's section, or while the mode was paused. Which of the two
        // nobody remembers, so the event tells what is so now.
        let now = emit_pending::<B>(bits);
        B::Machine::observe(Event::Leave(if now.contains(Bits::PAUSED) {
            Kind::Inert
        } else {
            Kind::Nested
        }));
    }
}

/// Leaves in the place of a forgotten guard of the task's handle, if its section began the mode.
#[inline]
pub(crate) fn leave_forgotten<B: Backend>(bits: B::Storage) {
    let now = bits.load();
    if now.contains(Bits::OWNED) {
        cold_path();
        end::<B>(bits, now);
    }
}

/// Pauses; the kind is the pause's: `Outermost` is the one whose resume reactivates.
#[inline]
pub(crate) fn pause_at<B: Backend>(bits: B::Storage, in_interrupt: bool) -> Kind {
    let kind = if in_interrupt {
        Kind::Inert
    } else {
        // Emitted first: where PENDING is set a store relies on it, though it is made while the
        // mode is paused.
        let now = emit_pending::<B>(bits);
        if now.contains(Bits::PAUSED) {
            Kind::Nested
        } else {
            set(bits, now, Bits::PAUSED);
            if B::HAS_HOOKS && now.contains(Bits::ACTIVE) {
                B::mode_ends();
            }
            Kind::Outermost
        }
    };
    B::Machine::observe(Event::Pause(kind));
    kind
}

/// Ends a pause that was begun as `kind`.
#[inline]
pub(crate) fn resume_at<B: Backend>(bits: B::Storage, kind: Kind) {
    match kind {
        Kind::Outermost => {
            let now = bits.load();
            if B::HAS_HOOKS && now.contains(Bits::ACTIVE) {
                B::mode_begins();
            }
            clear(bits, now, Bits::PAUSED);
            B::Machine::observe(Event::Resume(kind));
        }
        Kind::Nested => {}
        // As the leave of an inert section.
        Kind::Inert => emit_after_inert::<B>(),
    }
}

/// Emits the pair if a store awaits it: the flush of a section that is not inert. Returns the bits
/// that are set then.
#[inline]
pub(crate) fn emit_pending<B: Backend>(bits: B::Storage) -> Bits {
    // The look first: with nothing pending, which is common, there is no read-modify-write.
    let mut now = bits.load();
    if now.contains(Bits::PENDING) {
        // Cleared first, then the pair: an exception handler in between finds nothing pending, and
        // what it stores itself it flushes itself.
        now = clear(bits, now, Bits::PENDING);
        B::Machine::barrier();
    }
    // If an exception handler has flushed in our place, there was no barrier here that would keep
    // the compiler from using what it read before.
    compiler_fence(Ordering::SeqCst);
    now
}

/// [`emit_pending`] for code that has no section in hand: in an interrupt what is pending is the
/// interrupted thread's.
#[inline]
pub(crate) fn emit_own_pending<B: Backend>() {
    let (bits, in_interrupt) = B::context();
    if !in_interrupt {
        emit_pending::<B>(bits);
    }
}

/// [`take_pending`] for code that has no section in hand: in an interrupt what is pending is the
/// interrupted thread's.
#[inline]
pub(crate) fn take_own_pending<B: Backend>() {
    let (bits, in_interrupt) = B::context();
    if !in_interrupt {
        take_pending::<B>(bits);
    }
}

/// Takes what is pending off the books: the caller executes next what covers it.
#[inline]
pub(crate) fn take_pending<B: Backend>(bits: B::Storage) {
    // As in `emit_pending`.
    let now = bits.load();
    if now.contains(Bits::PENDING) {
        clear(bits, now, Bits::PENDING);
    }
    compiler_fence(Ordering::SeqCst);
}

/// Defers the pair of a store that has been made. If the mode does not defer returns false: it is
/// to be emitted now.
#[inline]
pub(crate) fn deferred(bits: impl Storage) -> bool {
    // The descriptor was stored before, and the compiler leaves it there: an exception handler that
    // flushes between the store and the look has covered the store; between the look and the store
    // it would not have.
    compiler_fence(Ordering::SeqCst);
    if bits.load().contains(Bits::PENDING) {
        return true;
    }
    // Looked at anew: so the look above, which is the one of every store but the first, is a load
    // and a test of one bit.
    let now = bits.load();
    let defers = now.defers();
    if defers {
        set(bits, now, Bits::PENDING);
    }
    defers
}

/// Tells the compiler to lay out the way that it is on apart from the common one.
#[cold]
#[inline]
pub(crate) fn cold_path() {}
