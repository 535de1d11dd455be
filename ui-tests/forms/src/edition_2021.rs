//! The forms in edition 2021.

#![deny(warnings, clippy::pedantic)]
// The results that are shown are sometimes `()`.
#![allow(clippy::unit_arg)]

mod forms;
mod only_2021;

fn main() {
    forms::run(&[only_2021::FORMS]);
}
