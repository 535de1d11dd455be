//! The backends of the crate that are not an architecture's.

pub(crate) mod eager;
pub(crate) mod global;
#[cfg(all(feature = "sim", not(target_os = "none")))]
pub mod sim;
pub(crate) mod unreached;
pub(crate) mod wrapped;
