//! The imports of nearly every test: the library, the hosted backend and the shared helpers.

pub use std::cell::Cell;
pub use std::panic::{AssertUnwindSafe, catch_unwind};
pub use std::sync::atomic::{AtomicU64, Ordering};

pub use lazy_mmu::aarch64::contiguous::{ContiguousGroup, NotAGroup};
pub use lazy_mmu::aarch64::descriptor::*;
pub use lazy_mmu::aarch64::{self, Granule, update};
pub use lazy_mmu::raw::{self, Kind, State};
// This is an event of the trace. `Machine::observe` has events of the type `lazy_mmu::Event`.
pub use lazy_mmu::sim::Event;
pub use lazy_mmu::sim::{self, *};
pub use lazy_mmu::*;

pub use crate::changed::*;
pub use crate::for_both_storages;
pub use crate::hosted::*;
pub use crate::letters::letters;
pub use crate::panicky::*;
