//! Functions that the compiler and Clippy warn of, in edition 2024.

#![cfg_attr(
    not(feature = "warn"),
    allow(
        warnings,
        clippy::all,
        clippy::pedantic,
        clippy::undocumented_unsafe_blocks
    )
)]
#![cfg_attr(
    feature = "warn",
    warn(
        clippy::pedantic,
        clippy::undocumented_unsafe_blocks,
        future_incompatible,
        let_underscore,
        nonstandard_style,
        unused
    )
)]

// The formatter would mend some of it.
#[rustfmt::skip]
mod warnings;

fn main() {}
