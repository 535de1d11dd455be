// A nested section would pass for the outermost one, whose leave ends the mode.
// A type parameter is not a level that it may happen to be (E0308).

use lazy_mmu::sim::Sim;
use lazy_mmu::{LazyMmu, Level, Outer};

fn pretend<L: Level>(section: LazyMmu<'_, L, Sim>) -> LazyMmu<'_, Outer, Sim> {
    section
}

fn main() {}
