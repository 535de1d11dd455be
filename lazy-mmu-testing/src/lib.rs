//! What the tests of `lazy-mmu` share, on the hosted backend `sim`.
//!
//! [`program`] says what a program of sections is, and [`reference`] what it must do. The rest is
//! for tests that say what happens step by step: `use lazy_mmu_testing::prelude::*`.
#![expect(
    clippy::missing_panics_doc,
    reason = "a test panics where something is wrong"
)]

mod changed;
mod hosted;
mod letters;
mod panicky;
pub mod prelude;
pub mod program;
pub mod reference;
