//! The forms in edition 2024.

#![deny(warnings, clippy::pedantic)]
// The results that are shown are sometimes `()`.
#![allow(clippy::unit_arg)]

mod forms;
mod only_2024;

fn main() {
    forms::run(&[only_2024::FORMS]);
}
