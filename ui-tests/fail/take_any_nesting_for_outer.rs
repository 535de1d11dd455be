// A nested section could be used as the outermost one, whose leave ends the mode.
// A type parameter is a type of its own, and not `Outer` (E0308).

use lazy_mmu::{LazyMmu, Nesting, Outer};

fn pretend<L: Nesting>(section: LazyMmu<'_, L>) -> LazyMmu<'_, Outer> {
    section
}

fn main() {}
