//! Two registrations, one of them in a library of which nothing else is used: the linker says so.

use ui_tests_registration as _;

lazy_mmu::set_global_backend!(lazy_mmu::sim::SimOwnByte);

#[lazy_mmu::lazy_mmu]
fn main() {}
