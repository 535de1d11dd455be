// A brand that could be lengthened would let the proofs of two sections meet in the longer one, without a word.
// `Pending` is invariant in its brand (lifetime may not live long enough).

use lazy_mmu::Pending;

fn lengthen<'long: 'short, 'short>(mapping: Pending<'short, u32>) -> Pending<'long, u32> {
    mapping
}

fn main() {}
