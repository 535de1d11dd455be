//! What a machine can observe, beside its own barriers.

use core::fmt;
use core::sync::atomic::AtomicU64;

use super::token::Kind;

/// What [`Machine::observe`](crate::Machine::observe) is told.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A descriptor was stored through the crate.
    Store {
        /// The 64-bit entry that was written.
        slot: *const AtomicU64,
        /// The descriptor's bits.
        value: u64,
    },
    /// A section was entered.
    Enter(Kind),
    /// A section was left, and its barriers, if any were due, have been executed.
    Leave(Kind),
    /// The mode was paused, and the pending pair has been emitted.
    Pause(Kind),
    /// A pause ended. One that changed nothing (nested in another, or in an interrupt) is not
    /// reported.
    Resume(Kind),
    /// A [handle](crate::Task) of the thread whose bits are at this address is about to be made.
    /// The address is null if the storage does not tell it.
    HandleMade(*const ()),
    /// The handle of the thread whose bits are at this address was dropped.
    HandleDropped(*const ()),
}

/// Descriptors in hexadecimal.
impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store { slot, value } => {
                write!(f, "Store {{ slot: {slot:?}, value: {value:#x} }}")
            }
            Self::Enter(kind) => write!(f, "Enter({kind:?})"),
            Self::Leave(kind) => write!(f, "Leave({kind:?})"),
            Self::Pause(kind) => write!(f, "Pause({kind:?})"),
            Self::Resume(kind) => write!(f, "Resume({kind:?})"),
            Self::HandleMade(bits) => write!(f, "HandleMade({bits:?})"),
            Self::HandleDropped(bits) => write!(f, "HandleDropped({bits:?})"),
        }
    }
}
