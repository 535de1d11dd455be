//! The forms in edition 2021. `../../tests/forms/runner.rs` says what is compared.

#![deny(warnings, clippy::pedantic)]
#![allow(
    clippy::duplicate_mod,
    reason = "each form is compiled without and with the attribute"
)]
#![allow(clippy::unit_arg, reason = "some results are `()`")]

#[path = "../../tests/forms/runner.rs"]
mod runner;

macro_rules! plain_or_section {
    ({ $($plain:tt)* } { $($section:tt)* }) => { $($plain)* };
}
#[path = "../../tests/forms/edition_2021.rs"]
mod plain;

macro_rules! plain_or_section {
    ({ $($plain:tt)* } { $($section:tt)* }) => { $($section)* };
}
#[path = "../../tests/forms/edition_2021.rs"]
mod section;

fn main() {
    runner::run(&plain::forms(), &section::forms());
}
