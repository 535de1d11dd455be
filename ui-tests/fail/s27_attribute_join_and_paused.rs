// A joined section defers, and a pause makes stores immediate: they cannot both hold.
// The attribute refuses the second of the two.

use lazy_mmu::lazy_mmu;

#[lazy_mmu(join, paused)]
fn one() {}

#[lazy_mmu(paused, join)]
fn other() {}

#[lazy_mmu(join = true)]
fn with_a_value() {}

fn main() {}
