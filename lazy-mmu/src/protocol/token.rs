//! What an enter did: the tokens that the matching leave consumes.
//!
//! Separate from the state machine because the contract names the kinds too: a machine observes
//! them.

/// What entering a section did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// The thread was in no section: this is the outermost, and its leave ends the mode.
    // From 1 on, so that "none" is 0, which costs one instruction less to find out.
    Outermost = 1,
    /// The thread was in a section: leave flushes, and the mode goes on.
    Nested,
    /// The mode could not be entered (interrupt, or paused): stores are immediate. Its leave
    /// flushes if the cause has ended meanwhile, else it does nothing.
    Inert,
}

/// What [`enter`](super::raw::enter) did; the matching [`leave`](super::raw::leave) consumes it.
///
/// A state is neither `Clone` nor `Copy` nor `Send`, and only this crate makes one: the thread that
/// entered leaves. It has the size and alignment of a C `uint8_t`, so it can cross an FFI boundary
/// by value. The other side passes back the value that it was given, and no other.
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

/// What [`pause`](super::raw::pause) did; the matching [`resume`](super::raw::resume) consumes it.
/// As [`State`], but of a pause.
#[must_use = "a pause whose state is not passed to `resume` goes on for ever"]
#[repr(transparent)]
#[derive(Debug)]
pub struct PauseState {
    kind: Kind,
    _thread: BoundToThread,
}

impl PauseState {
    /// What pause did: `Outermost` is the pause whose resume reactivates, `Nested` one inside
    /// another, `Inert` one in an interrupt.
    #[inline]
    pub fn kind(&self) -> Kind {
        self.kind
    }
}

// Free functions, because rustc suggests an associated function to code that forges a token.

/// The token of an enter that did `kind`.
#[inline]
pub(super) fn state(kind: Kind) -> State {
    State {
        kind,
        _thread: BoundToThread::HERE,
    }
}

/// The token of a pause that did `kind`.
#[inline]
pub(super) fn pause_state(kind: Kind) -> PauseState {
    PauseState {
        kind,
        _thread: BoundToThread::HERE,
    }
}

/// A value that must stay on its thread, because the bits that it changes are that thread's:
/// neither `Send` nor `Sync`.
///
/// An empty array instead of a `PhantomData`: rustc explains an error with the definitions on the
/// way to the culprit, and these here say why.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BoundToThread([OfThisThread; 0]);

/// Packed, so that an empty array has no alignment either.
#[derive(Clone, Copy, Debug)]
#[repr(Rust, packed)]
#[expect(dead_code, reason = "no value of it exists; its type decides")]
struct OfThisThread(*mut ());

impl BoundToThread {
    /// To the thread that makes it.
    pub(crate) const HERE: Self = Self([]);
}
