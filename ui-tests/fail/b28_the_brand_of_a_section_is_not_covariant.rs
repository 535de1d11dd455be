// A section whose brand could be shortened would hand out proofs for mappings of another.
// `LazyMmu` is invariant in its lifetime (lifetime may not live long enough).

use lazy_mmu::{LazyMmu, Nested};

fn shorten<'long: 'short, 'short>(
    section: LazyMmu<'long, Nested>,
) -> LazyMmu<'short, Nested> {
    section
}

fn main() {}
