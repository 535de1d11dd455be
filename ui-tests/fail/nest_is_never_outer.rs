// Code generic over the level could be told that what it nests is the outermost section.
// What `nest` returns is the level's own `Nested`, whatever that is (E0308).

use lazy_mmu::{LazyMmu, Nesting, Outer};

fn pretend<'s, L: Nesting>(section: &'s mut LazyMmu<'_, L>) -> LazyMmu<'s, Outer> {
    section.nest()
}

fn main() {}
