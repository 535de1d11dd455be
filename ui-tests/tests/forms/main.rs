//! The forms in edition 2024. `runner.rs` says what is compared.

#![deny(warnings, clippy::pedantic)]
#![allow(
    clippy::duplicate_mod,
    reason = "each form is compiled without and with the attribute"
)]
#![allow(clippy::unit_arg, reason = "some results are `()`")]

mod runner;

macro_rules! plain_or_section {
    ({ $($plain:tt)* } { $($section:tt)* }) => { $($plain)* };
}
#[path = "edition_2024.rs"]
mod plain;

macro_rules! plain_or_section {
    ({ $($plain:tt)* } { $($section:tt)* }) => { $($section)* };
}
#[path = "edition_2024.rs"]
mod section;

fn main() {
    runner::run(&plain::forms(), &section::forms());
}
