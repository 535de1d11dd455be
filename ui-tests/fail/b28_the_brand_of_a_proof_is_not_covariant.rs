// A brand that could be shortened would let the proofs of two sections meet in the shorter one, without a word.
// `Visible` is invariant in its brand (lifetime may not live long enough).

use lazy_mmu::Visible;

fn shorten<'v, 'long: 'short, 'short>(proof: Visible<'v, 'long>) -> Visible<'v, 'short> {
    proof
}

fn main() {}
