//! Shared code of the tests of `lazy-mmu`, for the hosted backend `sim`.
//!
//! [`program`] defines programs of sections, and [`mod@reference`] computes their traces. Other
//! tests check single steps, and `use lazy_mmu_testing::prelude::*`.
#![expect(clippy::missing_panics_doc, reason = "a test panics if a check fails")]

mod changed;
mod hosted;
mod letters;
mod panicky;
pub mod prelude;
pub mod program;
pub mod reference;
