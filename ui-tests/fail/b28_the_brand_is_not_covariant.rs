// If identities could become shorter, the proof of one section could unlock the mapping of another.
// `Pending` is invariant in the identity of its section.

use lazy_mmu::Pending;

fn shorten<'long: 'short, 'short>(mapping: Pending<'long, u32>) -> Pending<'short, u32> {
    mapping
}

fn main() {}
