// If identities could become shorter, the proof of one section could unlock the mapping of another.
// `Visible` is invariant in the identity of its section.

use lazy_mmu::Visible;

fn shorten<'v, 'long: 'short, 'short>(proof: Visible<'v, 'long>) -> Visible<'v, 'short> {
    proof
}

fn main() {}
