// If identities could become longer, the proof of one section could unlock the mapping of another.
// `Pending` is invariant in the identity of its section.

use lazy_mmu::Pending;

fn lengthen<'long: 'short, 'short>(mapping: Pending<'short, u32>) -> Pending<'long, u32> {
    mapping
}

fn main() {}
