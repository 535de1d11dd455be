// Code that is generic over the nesting could take a nested section for the outermost one.
// `nest` returns the type `L::Nested`, which is not known to be `Outer` (E0308).

use lazy_mmu::{LazyMmu, Nesting, Outer};

fn pretend<'s, L: Nesting>(section: &'s mut LazyMmu<'_, L>) -> LazyMmu<'s, Outer> {
    section.nest()
}

fn main() {}
