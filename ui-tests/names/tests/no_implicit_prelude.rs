//! The prelude is not in scope, and its names have another meaning.

#![no_implicit_prelude]
#![allow(dead_code)]

/// A module with the name of a standard library.
mod core {
    pub(crate) struct Option;
    pub(crate) struct Some;
}

/// A module with the name of a standard library.
mod std {}

/// A module with the name of the crate.
mod lazy_mmu {
    pub(crate) mod __private {}
}

trait Drop {}
trait Sized {}
trait Fn {}
struct Result;
struct Some;

#[::sections::lazy_mmu(crate = ::sections, backend = ::sections::sim::Sim)]
fn hidden() {
    let _ = (core::Option, core::Some, Result, Some);
    ::sections::note_store::<::sections::sim::Sim>();
}

#[::sections::lazy_mmu(crate = ::sections, backend = ::sections::sim::Sim, mmu)]
fn named() {
    mmu.note_store();
}

#[::sections::lazy_mmu(crate = ::sections, backend = ::sections::sim::Sim, paused)]
fn paused() {
    ::sections::note_store::<::sections::sim::Sim>();
}

impl Drop for Some {}
impl Sized for Some {}
impl Fn for Some {}

#[::core::prelude::v1::test]
fn each_function_has_its_section() {
    hidden();
    named();
    paused();
    ::core::assert_eq!(::sections::sim::pairs(&::sections::sim::take_trace()), 3);
}
