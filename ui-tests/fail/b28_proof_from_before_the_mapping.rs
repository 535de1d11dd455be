// A proof that is older than the mapping does not cover the mapping's pending pair.
// A proof holds the mutable borrow of its section, and making a mapping needs it too (E0499).

#[lazy_mmu::lazy_mmu(mmu)]
fn main() {
    let proof = mmu.flush();
    let mapping = mmu.pending(1);
    mapping.get(&proof);
}
