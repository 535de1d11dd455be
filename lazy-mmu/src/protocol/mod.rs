//! The protocol: the bits of a thread, the tokens, the contract with a kernel, the state machine.
//!
//! It does not depend on an architecture or on a guard.

pub(crate) mod backend;
pub(crate) mod bits;
pub(crate) mod event;
pub(crate) mod place;
pub(crate) mod range;
pub mod raw;
pub(crate) mod token;
