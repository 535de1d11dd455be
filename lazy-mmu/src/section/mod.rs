//! Sections: their guards, their closure forms, and the operations on page tables in a section.
//!
//! This layer is built on `protocol`, and knows no architecture.

// First, because rustdoc shows the methods of a type in the order of the modules.
pub(crate) mod guard;

pub(crate) mod closure;
pub(crate) mod descriptor;
pub(crate) mod gather;
pub(crate) mod invalidate;
pub(crate) mod link;
pub(crate) mod nesting;
pub(crate) mod pause;
pub(crate) mod proof;
pub(crate) mod slot;
pub(crate) mod store;
pub(crate) mod taking_away;
pub(crate) mod task;
pub(crate) mod unmapped;
