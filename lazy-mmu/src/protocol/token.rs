//! The tokens: each records the effect of an enter, and the matching leave consumes it.
//!
//! Separate from the state machine because the contract names the kinds too: a machine observes
//! them.

/// The effect of entering a section.
///
/// ```
/// use lazy_mmu::raw::{self, Kind};
/// # type Mmu = lazy_mmu::sim::Sim;
///
/// // SAFETY: the sections are left in the opposite order, on the same thread.
/// unsafe {
///     let outer = raw::enter::<Mmu>();
///     let inner = raw::enter::<Mmu>();
///     let kinds = (outer.kind(), inner.kind());
///     raw::leave::<Mmu>(inner); // emits the pair if a store awaits it
///     raw::leave::<Mmu>(outer); // the same, and ends the mode
///     assert_eq!(kinds, (Kind::Outermost, Kind::Nested));
/// }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// The thread was not in a section, so this section is the outermost. Its leave ends the mode.
    // The numbers start at 1, so that 0 is the niche of `Option<Kind>`. A test for 0 saves an
    // instruction.
    Outermost = 1,
    /// The thread was in a section. The leave flushes, and the mode stays on.
    Nested,
    /// The section was opened in interrupt context or while the mode was paused. It has no effect
    /// on the thread, and its stores are immediate. Its leave flushes if the cause has ended, and
    /// does nothing otherwise.
    Inert,
}

/// The token that [`enter`](super::raw::enter) returns, and that the matching
/// [`leave`](super::raw::leave) consumes.
///
/// The token is not `Clone`, `Copy` or `Send`, and only this crate can make one. It has the size
/// and alignment of a C `uint8_t`, so it can cross an FFI boundary by value. The other side must
/// return the value that it received. [`raw`](super::raw) has the two functions for C.
///
/// A structure that C owns keeps the token between two callbacks:
///
/// ```
/// use lazy_mmu::raw::{self, Kind, State};
/// # type Mmu = lazy_mmu::sim::Sim;
///
/// /// In C: `struct walk { uint8_t mmu; .. };`
/// #[repr(C)]
/// struct Walk {
///     mmu: State,
///     // ..
/// }
/// # assert_eq!(size_of::<Walk>(), 1);
///
/// // SAFETY: the state is passed to `leave` below, on the only path.
/// let walk = Walk { mmu: unsafe { raw::enter::<Mmu>() } };
/// let kind = walk.mmu.kind();
/// // SAFETY: this is the state of the enter above.
/// unsafe { raw::leave::<Mmu>(walk.mmu) };
/// assert_eq!(kind, Kind::Outermost);
/// ```
#[must_use = "a section whose state is dropped loses barriers and never ends: pass it to `leave`"]
#[repr(transparent)]
#[derive(Debug)]
pub struct State {
    kind: Kind,
    _thread: BoundToThread,
}

impl State {
    /// Returns the effect of the enter.
    #[inline]
    pub fn kind(&self) -> Kind {
        self.kind
    }
}

/// The token that [`pause`](super::raw::pause) returns, and that the matching
/// [`resume`](super::raw::resume) consumes.
///
/// It has the properties of [`State`].
///
/// ```
/// use lazy_mmu::raw::{self, Kind};
/// # type Mmu = lazy_mmu::sim::Sim;
///
/// // SAFETY: the pauses end in the opposite order, on the only path.
/// let kinds = unsafe {
///     let outer = raw::pause::<Mmu>();
///     let inner = raw::pause::<Mmu>();
///     let kinds = (outer.kind(), inner.kind());
///     raw::resume::<Mmu>(inner); // does nothing, because the outer pause continues
///     raw::resume::<Mmu>(outer);
///     kinds
/// };
/// assert_eq!(kinds, (Kind::Outermost, Kind::Nested));
/// ```
#[must_use = "a pause whose state is dropped never ends: pass it to `resume`"]
#[repr(transparent)]
#[derive(Debug)]
pub struct PauseState {
    kind: Kind,
    _thread: BoundToThread,
}

impl PauseState {
    /// Returns the effect of the pause.
    ///
    /// * `Outermost`: the resume ends the pause.
    /// * `Nested`: the pause is inside another pause, which goes on after the resume.
    /// * `Inert`: the pause began in interrupt context, and changed nothing.
    #[inline]
    pub fn kind(&self) -> Kind {
        self.kind
    }
}

// Free functions, because rustc suggests an associated function to code that builds a token by
// hand.

/// Returns the token of an enter with the effect `kind`.
#[inline]
pub(super) fn state(kind: Kind) -> State {
    State {
        kind,
        _thread: BoundToThread::HERE,
    }
}

/// Returns the token of a pause with the effect `kind`.
#[inline]
pub(super) fn pause_state(kind: Kind) -> PauseState {
    PauseState {
        kind,
        _thread: BoundToThread::HERE,
    }
}

/// A value that is neither `Send` nor `Sync`, because it belongs to its thread. Without a value it
/// is a marker.
///
/// A raw pointer in a field would do the same, but rustc's error would be about that pointer. Here
/// `Send` and `Sync` have a condition that is never met, and rustc reports the text of the
/// condition.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub(crate) struct BoundToThread<T = ()>(pub(crate) T);

impl BoundToThread {
    /// The marker of the thread that makes the value.
    pub(crate) const HERE: Self = Self(());
}

/// The condition, which no [`BoundToThread`] meets.
#[diagnostic::on_unimplemented(
    message = "this value of `lazy_mmu` belongs to its thread: it cannot be sent to another thread \
               or shared with one",
    label = "belongs to the thread that made it",
    note = "open a section on the other thread",
    note = "a locked value can be sent after `get` or `invalidate` has returned it; the other CPU \
            synchronizes its context before it uses the mapping (aarch64: `isb`)"
)]
#[allow(dead_code, reason = "Rust 1.85 does not count the two conditions")]
pub(crate) trait UsableOnOtherThreads {}

// If the trait had no impl, rustc would suggest to add one.
#[diagnostic::do_not_recommend]
impl UsableOnOtherThreads for () {}

// SAFETY: the condition is never met, because only `()` implements the trait, which is private. No
// `BoundToThread` is `Send`.
unsafe impl<T> Send for BoundToThread<T> where Self: UsableOnOtherThreads {}
// SAFETY: as above. No `BoundToThread` is `Sync`.
unsafe impl<T> Sync for BoundToThread<T> where Self: UsableOnOtherThreads {}
