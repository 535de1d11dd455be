//! The state machine, and its bare tokens for C and assembly.
//!
//! The rest of the crate consists of typed forms of these functions. Use the functions only where a
//! guard cannot live, such as at the border to C. They are `unsafe` because code can forget a bare
//! token or pass it on out of order. Then a barrier is lost, or the mode stays on.
//!
//! Only sections and pauses have tokens. To store a descriptor, to flush, and to ask whether stores
//! are deferred, C calls `extern "C"` wrappers of the crate's functions:
//!
//! ```
//! use lazy_mmu::aarch64::descriptor::Leaf;
//! use lazy_mmu::raw::{self, State};
//! # type Mmu = lazy_mmu::sim::Sim;
//!
//! /// # Safety
//! ///
//! /// The caller passes the state to the matching `mmu_leave`, on every path, in order, and on
//! /// the same thread.
//! #[unsafe(no_mangle)]
//! unsafe extern "C" fn mmu_enter() -> State {
//!     // SAFETY: the caller promises the same.
//!     unsafe { raw::enter::<Mmu>() }
//! }
//!
//! /// # Safety
//! ///
//! /// `state` is the value that the matching `mmu_enter` returned.
//! #[unsafe(no_mangle)]
//! unsafe extern "C" fn mmu_leave(state: State) {
//!     // SAFETY: the caller promises the same.
//!     unsafe { raw::leave::<Mmu>(state) }
//! }
//!
//! /// # Safety
//! ///
//! /// The duties are those of `lazy_mmu::write_ptr`. `bits` are a leaf of the EL1&0 regime.
//! #[unsafe(no_mangle)]
//! unsafe extern "C" fn mmu_set_leaf(slot: *mut u64, bits: u64) {
//!     // SAFETY: the caller promises the same.
//!     unsafe { lazy_mmu::write_ptr::<Mmu, _>(slot, Leaf(bits)) }
//! }
//!
//! #[unsafe(no_mangle)]
//! extern "C" fn mmu_flush() {
//!     lazy_mmu::flush::<Mmu>();
//! }
//!
//! #[unsafe(no_mangle)]
//! extern "C" fn mmu_is_active() -> bool {
//!     lazy_mmu::is_active::<Mmu>()
//! }
//! # let mut slot = 0;
//! # // SAFETY: the state is passed on, and only this code has the address of `slot`.
//! # unsafe {
//! #     let state = mmu_enter();
//! #     mmu_set_leaf(&raw mut slot, Leaf::page(0, lazy_mmu::aarch64::descriptor::KERNEL_DATA).0);
//! #     assert!(mmu_is_active() && lazy_mmu::sim::is_pending::<Mmu>());
//! #     mmu_flush();
//! #     assert!(!lazy_mmu::sim::is_pending::<Mmu>());
//! #     mmu_leave(state);
//! # }
//! ```
//!
//! # The state machine
//!
//! The state is four [bits](crate::Bits) per thread: ACTIVE, PENDING, PAUSED and OWNED. A token
//! records the effect of an enter: *Outermost*, *Nested* or *Inert*. A thread *defers* if ACTIVE is
//! set, PAUSED is clear, and the CPU is not in interrupt context. The *pair* is
//! [`Machine::barrier`](crate::Machine::barrier): `dsb ishst; isb` on aarch64.
//!
//! * **enter**. In interrupt context, or if PAUSED is set, the section is *Inert*. Otherwise it is
//!   *Nested* if ACTIVE is set. If ACTIVE is clear, enter sets it, and the section is *Outermost*.
//! * **join**. If the thread defers, join and its end do nothing. Otherwise join is enter, and its
//!   end is leave.
//! * **store**. It writes the descriptor first. If the descriptor needs the pair, then:
//!   * If the store goes through an *Inert* guard, or through no guard in interrupt context, the
//!     pair follows.
//!   * Otherwise, if PENDING is set, the store is complete, because a later pair covers it.
//!   * Otherwise, if ACTIVE is set and PAUSED is clear, it sets PENDING.
//!   * Otherwise the pair follows.
//! * **flush**. If PENDING is set, it clears PENDING and then executes the pair. In interrupt
//!   context, a flush that goes through an *Inert* guard, or through no guard, does nothing.
//! * **leave**. *Outermost*: if PENDING is set, it executes the pair. Then it clears all bits
//!   except PAUSED, in one access. *Nested*: if PENDING is set, it clears PENDING and then executes
//!   the pair, in every context. *Inert*: the same, but nothing in interrupt context.
//! * **pause**. In interrupt context, a pause that goes through an *Inert* guard, or through no
//!   guard, is *Inert*. Otherwise it flushes. If PAUSED is set, it is *Nested*. If PAUSED is clear,
//!   it sets PAUSED, and is *Outermost*.
//! * **resume**. *Outermost*: it clears PAUSED. *Nested*: it does nothing. *Inert*: as the leave of
//!   an *Inert* section.
//!
//! Outside interrupt context and without a pause, a thread moves between three states:
//!
//! ```text
//!              enter              store that needs the pair
//!   all clear ------->  ACTIVE  ---------------------------->  ACTIVE, PENDING
//!       ^               |    ^                                    |       |
//!       |               |    '---- pair <- flush, nested leave ---'       |
//!       |               |                                                 |
//!       '-- outermost <-'                                                 |
//!       |     leave                                                       |
//!       '------------------------- pair <- outermost leave ---------------'
//! ```
//!
//! Nesting changes the bits and executes pairs as follows:
//!
//! ```text
//!   enter      Outermost   ACTIVE
//!     store                ACTIVE, PENDING
//!     enter    Nested      ACTIVE, PENDING
//!       store              ACTIVE, PENDING
//!     leave    pair        ACTIVE             both stores are visible
//!     store                ACTIVE, PENDING
//!   leave      pair        all clear          the third store is visible
//! ```
//!
//! Every leave of a section that is not inert emits a pending pair. Nested sections do this too,
//! because the caller of the function that opened the section may use the mapping. Only the
//! outermost leave ends the mode. The token records the effect of the enter, so the leave undoes
//! that effect even if the context has changed. For example, the thread may have disabled softirqs.
//!
//! An inert section or pause has changed nothing, so its end has nothing to undo. However, the
//! cause of an inert section can end before the section does: the pause ends, or the thread enables
//! softirqs (in a kernel that treats disabled softirqs as interrupt context). Later stores of the
//! thread are then deferred into a section around the inert one. The end of the inert section emits
//! their pair. If softirqs are disabled again at that end, it cannot tell whose pair is pending,
//! and the section around it emits the pair.
//!
//! The [task handle](crate::Task) has sections without a token:
//!
//! * Their enter sets OWNED and ACTIVE if all bits are clear.
//! * If OWNED is set at the enter, the last guard of the handle was forgotten. The enter then
//!   leaves the section of that guard first, as *Outermost*.
//! * Their leave is that of *Outermost* if OWNED is set, and that of *Nested* otherwise.
//! * In a pause, their enter does not set a bit. An [`Event`] reports this enter as *Inert*. It
//!   also reports a leave in a pause as *Inert*, if OWNED is clear.
//! * Their stores test the bits each time: they are deferred if ACTIVE is set and PAUSED is clear,
//!   and immediate otherwise. After the pause in which the section was entered, they are deferred
//!   only if another section has set ACTIVE.
//! * Their stores do not test for interrupt context, because a handler does not use the handle.
//!
//! The guards follow these rules. The [proofs](crate::Visible) of guards have one more rule: see
//! [`soundness`](crate::soundness#what-the-state-machine-handles-at-run-time).
//!
//! # Exception handlers
//!
//! An *interrupt* handler does not change the bits of the thread that it interrupted, and its
//! stores do not depend on them.
//!
//! A *synchronous exception* handler runs on behalf of the thread. Its section is nested in an open
//! section of the thread, and flushes when it is left. Such a handler must open its own section for
//! its stores, and this section must not join. The exception can arrive while the thread leaves its
//! outermost section. If the handler then makes a store without opening a section, the store can be
//! deferred, and a later leave does not emit its pair. The barrier would be lost silently.
//!
//! The flush of the handler emits the pair of the handler's own stores. The exception can also
//! arrive between a store of the thread and the change of its bits, or just before the thread
//! executes a pair. In both cases the thread completes its stores itself. The flush and the proof
//! ([`Visible`](crate::Visible)) of the handler do not cover them.

use core::sync::atomic::{Ordering, compiler_fence};

use super::backend::{Backend, Machine};
use super::bits::{Bits, Storage};
use super::event::Event;
use super::range::Invalidation;
use super::token::{pause_state, state};

pub use super::token::{Kind, PauseState, State};

/// Enters a section on the current thread.
///
/// The [module](self) shows the form for C. Between the two calls, the stores of the thread are
/// deferred:
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// use lazy_mmu::{raw, sim};
/// # type Mmu = lazy_mmu::sim::Sim;
///
/// let slot = AtomicU64::new(0);
/// // SAFETY: the state is passed to `leave` below, on the only path.
/// let state = unsafe { raw::enter::<Mmu>() };
/// lazy_mmu::write::<Mmu, _>(&slot, Leaf::page(0x4000_0000, KERNEL_DATA));
/// let is_pending = sim::is_pending::<Mmu>();
/// // SAFETY: this is the state of the enter above.
/// unsafe { raw::leave::<Mmu>(state) };
/// assert!(is_pending && sim::is_settled(&slot));
/// ```
///
/// # Safety
///
/// The caller passes the returned state to [`leave`] of the same backend:
///
/// * exactly once, on every path, including errors and panics
/// * on the same thread, and in the context in which it entered the section, not in a handler that
///   interrupts it
/// * in order: sections that were entered later are left first
#[inline]
pub unsafe fn enter<B: Backend>() -> State {
    let (bits, in_interrupt) = B::context();
    state(enter_at::<B>(bits, in_interrupt))
}

/// Leaves the section of `state`: emits the pair if a store awaits it, and ends the mode if the
/// section is the outermost.
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// use lazy_mmu::{raw, sim};
/// # type Mmu = lazy_mmu::sim::Sim;
///
/// let slot = AtomicU64::new(0);
/// // SAFETY: the states are passed to `leave` below in the opposite order, on the only path.
/// let (outer, inner) = unsafe { (raw::enter::<Mmu>(), raw::enter::<Mmu>()) };
/// lazy_mmu::write::<Mmu, _>(&slot, Leaf::page(0x4000_0000, KERNEL_DATA));
/// // SAFETY: the section of `inner` was entered last.
/// unsafe { raw::leave::<Mmu>(inner) };
/// let after_inner = (sim::is_settled(&slot), lazy_mmu::is_active::<Mmu>());
/// // SAFETY: the section of `outer` is the only open section.
/// unsafe { raw::leave::<Mmu>(outer) };
/// assert_eq!(after_inner, (true, true)); // The pair was emitted, and the mode continued.
/// assert!(!lazy_mmu::is_active::<Mmu>());
/// ```
///
/// # Safety
///
/// The duties are those of the [`enter`] that returned `state`.
#[inline]
#[expect(
    clippy::needless_pass_by_value,
    reason = "the token is consumed, so that a section cannot be left twice"
)]
pub unsafe fn leave<B: Backend>(state: State) {
    match state.kind() {
        Kind::Outermost => leave_outermost::<B>(B::current()),
        Kind::Nested => leave_nested::<B>(B::current()),
        Kind::Inert => leave_inert::<B>(),
    }
}

/// Pauses the mode on the current thread: emits the pending pair, and makes stores immediate until
/// [`resume`].
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// use lazy_mmu::{raw, sim};
/// # type Mmu = lazy_mmu::sim::Sim;
///
/// let slot = AtomicU64::new(0);
/// lazy_mmu::with::<Mmu, _>(|_| {
///     // SAFETY: the state is passed to `resume` below, on the only path.
///     let state = unsafe { raw::pause::<Mmu>() };
///     lazy_mmu::write::<Mmu, _>(&slot, Leaf::page(0x4000_0000, KERNEL_DATA));
///     let pair_has_executed = sim::is_settled(&slot);
///     // SAFETY: this is the state of the pause above.
///     unsafe { raw::resume::<Mmu>(state) };
///     assert!(pair_has_executed);
/// });
/// ```
///
/// # Safety
///
/// The duties are those of [`enter`], with [`resume`] in the place of [`leave`]. Pauses and
/// sections end in the opposite order to the one in which they began.
#[inline]
pub unsafe fn pause<B: Backend>() -> PauseState {
    let (bits, in_interrupt) = B::context();
    pause_state(pause_at::<B>(bits, in_interrupt))
}

/// Ends the pause of `state`.
///
/// If the pause is the outermost, and a section is open, stores are deferred again:
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// use lazy_mmu::{raw, sim};
/// # type Mmu = lazy_mmu::sim::Sim;
///
/// let slot = AtomicU64::new(0);
/// lazy_mmu::with::<Mmu, _>(|mmu| {
///     // SAFETY: the state is passed to `resume` at once.
///     unsafe { raw::resume::<Mmu>(raw::pause::<Mmu>()) };
///     mmu.write(&slot, Leaf::page(0x4000_0000, KERNEL_DATA));
///     assert!(sim::is_pending::<Mmu>());
/// });
/// ```
///
/// # Safety
///
/// The duties are those of the [`pause`] that returned `state`.
#[inline]
#[expect(
    clippy::needless_pass_by_value,
    reason = "the token is consumed, so that a pause cannot be resumed twice"
)]
pub unsafe fn resume<B: Backend>(state: PauseState) {
    resume_at::<B>(B::current(), state.kind());
}

/// Sets the bits `which`. The bits were `seen` just now.
#[inline]
fn set(bits: impl Storage, seen: Bits, which: Bits) {
    // SAFETY: this is the state machine, and it has just looked.
    unsafe { bits.set(seen, which) };
}

/// Clears the bits `which`. The bits were `seen` just now. Returns the remaining ones.
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

/// Enters a section through the task handle.
///
/// A live guard would borrow the handle, so there is none. If OWNED is set, the guard was
/// forgotten, and its section is left first.
#[inline]
pub(crate) fn enter_owned<B: Backend>(bits: B::Storage) {
    const BEGUN: Bits = Bits::ACTIVE.union(Bits::OWNED);

    let now = bits.load();
    let kind = if now == Bits::EMPTY {
        begin::<B>(bits, now, BEGUN);
        Kind::Outermost
    } else {
        // This rare branch is inline, because a call would make every function that enters a
        // section save registers.
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

/// Begins the mode: sets the bits `which`.
#[inline]
fn begin<B: Backend>(bits: B::Storage, now: Bits, which: Bits) {
    // The hook runs before ACTIVE is set, and the other hook runs after ACTIVE is cleared. The
    // hooks therefore also enclose an exception handler that finds ACTIVE set.
    if B::HAS_HOOKS {
        B::mode_begins();
    }
    set(bits, now, which);
}

/// Leaves the section that began the mode, and ends the mode. The bits were `now` just now.
#[inline]
fn end<B: Backend>(bits: B::Storage, now: Bits) {
    if now.contains(Bits::PENDING) {
        B::Machine::barrier();
    }
    // For the reason in `emit_pending`.
    compiler_fence(Ordering::SeqCst);
    // The pair executes before the mode ends, so a thread never has a pending pair outside the
    // mode. All bits are cleared in one access. An exception handler that ran before it found the
    // mode on, and flushed its own stores. PAUSED stays, because a pause ends with its own closure.
    let left = clear(
        bits,
        now,
        Bits::ACTIVE.union(Bits::PENDING).union(Bits::OWNED),
    );
    // In a pause, the hook has already run, because the pause stopped the deferring.
    if B::HAS_HOOKS && left == Bits::EMPTY {
        B::mode_ends();
    }
    B::Machine::observe(Event::Leave(Kind::Outermost));
}

/// Leaves a nested section.
#[inline]
pub(crate) fn leave_nested<B: Backend>(bits: B::Storage) {
    emit_pending::<B>(bits);
    B::Machine::observe(Event::Leave(Kind::Nested));
}

/// Leaves an inert section.
///
/// If its cause has ended, stores may have been deferred into a section around it. They must not
/// wait for that section.
#[inline]
pub(crate) fn leave_inert<B: Backend>() {
    emit_after_inert::<B>();
    B::Machine::observe(Event::Leave(Kind::Inert));
}

/// Emits a pending pair at the end of an inert section or pause, if its cause has ended.
#[inline]
fn emit_after_inert<B: Backend>() {
    let (bits, in_interrupt) = B::context();
    // If the mode is switched off, the bits are the inert ones, and this compiles to nothing.
    if !in_interrupt && bits != Storage::inert() {
        emit_pending::<B>(bits);
    }
}

/// Leaves the outermost section, which ends the mode.
#[inline]
pub(crate) fn leave_outermost<B: Backend>(bits: B::Storage) {
    end::<B>(bits, bits.load());
}

/// Leaves a section of the task handle.
#[inline]
pub(crate) fn leave_owned<B: Backend>(bits: B::Storage) {
    let now = bits.load();
    if now.contains(Bits::OWNED) {
        end::<B>(bits, now);
    } else {
        cold_path();
        // The section was entered inside a caller's section, or while the mode was paused. The
        // guard does not record which, so the event reports the present state.
        let now = emit_pending::<B>(bits);
        B::Machine::observe(Event::Leave(if now.contains(Bits::PAUSED) {
            Kind::Inert
        } else {
            Kind::Nested
        }));
    }
}

/// Leaves the section of a forgotten guard of the task handle, if that section began the mode.
#[inline]
pub(crate) fn leave_forgotten<B: Backend>(bits: B::Storage) {
    let now = bits.load();
    if now.contains(Bits::OWNED) {
        cold_path();
        end::<B>(bits, now);
    }
}

/// Pauses the mode, and returns the kind of the pause. The resume of an `Outermost` pause ends it.
#[inline]
pub(crate) fn pause_at<B: Backend>(bits: B::Storage, in_interrupt: bool) -> Kind {
    let kind = if in_interrupt {
        Kind::Inert
    } else {
        // The pair comes first, because a store that finds PENDING set emits no pair, even while
        // the mode is paused.
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

/// Ends a pause of the kind `kind`.
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
        // For the reason in `leave_inert`.
        Kind::Inert => emit_after_inert::<B>(),
    }
}

/// Emits the pair if a store awaits it, and returns the bits after that: the flush of a section
/// that is not inert.
#[inline]
pub(crate) fn emit_pending<B: Backend>(bits: B::Storage) -> Bits {
    // The test comes first: in the common case PENDING is clear, and no read-modify-write executes.
    let mut now = bits.load();
    if now.contains(Bits::PENDING) {
        // PENDING is cleared before the pair. An exception handler in between finds PENDING clear,
        // and flushes its own stores itself.
        now = clear(bits, now, Bits::PENDING);
        B::Machine::barrier();
    }
    // An exception handler may have flushed for this thread. Then no barrier executed here, and
    // only this fence keeps the compiler from using values that it read before.
    compiler_fence(Ordering::SeqCst);
    now
}

/// [`emit_pending`] for code without the guard. In interrupt context it does nothing, because the
/// pending pair is that of the interrupted thread.
#[inline]
pub(crate) fn emit_own_pending<B: Backend>() {
    let (bits, in_interrupt) = B::context();
    if !in_interrupt {
        emit_pending::<B>(bits);
    }
}

/// [`take_pending`] for code without the guard. In interrupt context it does nothing, because the
/// pending pair is that of the interrupted thread.
#[inline]
pub(crate) fn take_own_pending<B: Backend>() -> bool {
    let (bits, in_interrupt) = B::context();
    !in_interrupt && take_pending::<B>(bits)
}

/// Clears PENDING without a pair, and returns whether it was set. If it was, the caller executes
/// barriers next that include the pair.
#[inline]
pub(crate) fn take_pending<B: Backend>(bits: B::Storage) -> bool {
    // For the reasons in `emit_pending`.
    let now = bits.load();
    let was_pending = now.contains(Bits::PENDING);
    if was_pending {
        clear(bits, now, Bits::PENDING);
    }
    compiler_fence(Ordering::SeqCst);
    was_pending
}

/// Executes `invalidations` as one sequence. `pending` says whether the sequence must include the
/// effect of the barrier pair.
#[inline]
pub(crate) fn invalidate<B: Backend>(invalidations: &[Invalidation], pending: bool) {
    if pending {
        B::Machine::invalidate(invalidations);
    } else {
        B::Machine::invalidate_only(invalidations);
    }
}

/// Defers the pair of a store that has been made. Returns false if the thread does not defer: the
/// caller then emits the pair.
#[inline]
pub(crate) fn deferred(bits: impl Storage) -> bool {
    // The compiler must keep the store of the descriptor before the load of the bits. If an
    // exception handler flushes between the store and the load, its pair covers the store. If it
    // flushed between the load and a later store, its pair would not cover the store.
    compiler_fence(Ordering::SeqCst);
    if bits.load().contains(Bits::PENDING) {
        return true;
    }
    // The bits are loaded again, so that the load above needs a test of one bit only. That load is
    // the only one of every store except the first.
    let now = bits.load();
    let defers = now.defers();
    if defers {
        set(bits, now, Bits::PENDING);
    }
    defers
}

/// Tells the compiler that the branch with this call is rare, so that it places the branch apart.
#[cold]
#[inline]
pub(crate) fn cold_path() {}
