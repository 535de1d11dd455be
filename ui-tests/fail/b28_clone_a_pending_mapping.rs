// A mapping that must have one owner, a unique handle for example, would have two.
// A pending mapping is not `Clone` (E0599).

#[lazy_mmu::lazy_mmu(mmu)]
fn main() {
    let mapping = mmu.pending(1);
    let _second = mapping.clone();
}
