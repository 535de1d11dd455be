// Two owners of what was to have one: a mapping's unique handle, say.
// Pending mappings are not `Clone` (E0599).

#[lazy_mmu::lazy_mmu(mmu)]
fn main() {
    let mapping = mmu.pending(1);
    let _second = mapping.clone();
}
