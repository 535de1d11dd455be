// The caller's proof is older than the mapping that this function makes. The identity of the
// section is a borrow of a local variable, and a parameter's lifetime is longer (E0716).

use lazy_mmu::{Visible, lazy_mmu};

#[lazy_mmu(mmu)]
fn map(proof: &Visible<'_, '_>) -> u32 {
    mmu.pending(1).get(proof)
}

fn main() {}
