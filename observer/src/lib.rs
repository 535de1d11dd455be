//! Observes a running aarch64 machine, and reports each access that relies on a barrier that the
//! machine did not execute.
//!
//! An emulated CPU does not need the barriers of page-table code: it finds a new entry at once. A
//! real CPU may not find it. [`Observer`] gets the instructions that the CPUs execute, in the order
//! in which they execute them, and applies the architecture's rule. QEMU feeds it through the
//! plugin in `observer/plugin`, and the litmus tests feed it in `tests/litmus.rs`.

mod descriptor;
pub mod instruction;
mod report;
mod rule;
pub mod steps;
mod tlbi;
pub mod trampolines;

pub use descriptor::Architecture;
pub use report::{Kind, Report};
pub use rule::{Access, CPUS, Domain, Observer, Ram, Store, Types};
pub use tlbi::Tlbi;
