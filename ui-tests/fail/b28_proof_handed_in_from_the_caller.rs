// The caller's proof is older than the mapping that is made here.
// The section here is branded with a local variable, which no lifetime of a parameter can be (E0716).

use lazy_mmu::{Visible, lazy_mmu};

#[lazy_mmu(mmu)]
fn map(proof: &Visible<'_, '_>) -> u32 {
    mmu.pending(1).get(proof)
}

fn main() {}
