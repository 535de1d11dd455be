// A nested section would pass for the outermost one, whose leave ends the mode.
// A type parameter is not the one type that it may happen to be (E0308).

use lazy_mmu::{LazyMmu, Nesting, Outer};

fn pretend<L: Nesting>(section: LazyMmu<'_, L>) -> LazyMmu<'_, Outer> {
    section
}

fn main() {}
