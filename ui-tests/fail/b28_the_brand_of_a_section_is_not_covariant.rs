// A section whose identity could become shorter would make proofs for the mappings of another one.
// `LazyMmu` is invariant in its lifetime, which is the identity of the section.

use lazy_mmu::{LazyMmu, Nested};

fn shorten<'long: 'short, 'short>(
    section: LazyMmu<'long, Nested>,
) -> LazyMmu<'short, Nested> {
    section
}

fn main() {}
