// A guard at a level that the crate does not know would not know what its leave has to do.
// `L` must be a `Level`, and the error lists them (E0277).

use lazy_mmu::LazyMmu;
use lazy_mmu::sim::Sim;

fn takes(_: &mut LazyMmu<'_, u8, Sim>) {}

fn main() {}
