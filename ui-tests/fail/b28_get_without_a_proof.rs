// A mapping would be used before its barrier pair, when a walk may still find the old entry.
// `get` needs the proof as its argument (E0061).

#[lazy_mmu::lazy_mmu(mmu)]
fn main() {
    let mapping = mmu.pending(1);
    mapping.get();
}
