// Any thread could leave the section then, at any time.
// A static must be `Sync`; guards are not even `Send` (E0277).

use std::sync::Mutex;

use lazy_mmu::sim::Sim;
use lazy_mmu::{LazyMmu, Outer};

static SECTION: Mutex<Option<LazyMmu<'static, Outer, Sim>>> = Mutex::new(None);

fn main() {}
