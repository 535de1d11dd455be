// The proof would be older than the mapping that it redeems, whose pair is still pending.
// A proof holds the mutable borrow of its section, so making a mapping ends it (E0499).

#[lazy_mmu::lazy_mmu(mmu)]
fn main() {
    let proof = mmu.flush();
    let mapping = mmu.pending(1);
    mapping.get(&proof);
}
