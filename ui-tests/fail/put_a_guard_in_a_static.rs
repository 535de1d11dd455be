// Any thread could leave the section at any time.
// A static must be `Sync`, and a `OnceLock` of a guard is not (E0277).

use std::sync::OnceLock;

use lazy_mmu::sim::Sim;
use lazy_mmu::{LazyMmu, Outer};

static SECTION: OnceLock<LazyMmu<'static, Outer, Sim>> = OnceLock::new();

fn main() {}
