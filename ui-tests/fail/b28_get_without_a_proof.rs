// The mapping would be used before its barrier pair: the walk may still find the old entry.
// `get` wants the proof (E0061).

#[lazy_mmu::lazy_mmu(mmu)]
fn main() {
    let mapping = mmu.pending(1);
    mapping.get();
}
