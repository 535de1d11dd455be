// A joined section defers its stores, but a paused function makes them immediate.
// The attribute refuses the second of the two arguments.

use lazy_mmu::lazy_mmu;

#[lazy_mmu(join, paused)]
fn one() {}

#[lazy_mmu(paused, join)]
fn other() {}

#[lazy_mmu(join = true)]
fn with_a_value() {}

fn main() {}
