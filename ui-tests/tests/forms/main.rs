//! The forms of functions, without and with the attribute. `runner.rs` compares the results.

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
#[path = "twin.rs"]
mod plain;

macro_rules! plain_or_section {
    ({ $($plain:tt)* } { $($section:tt)* }) => { $($section)* };
}
#[path = "twin.rs"]
mod section;

fn main() {
    runner::run(&plain::FORMS, &section::FORMS);
}
