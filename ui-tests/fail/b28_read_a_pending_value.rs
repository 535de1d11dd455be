// The mapping would be used before its barrier pair: the walk may still find the old entry.
// The value is private: only a proof gets it out (E0616).

#[lazy_mmu::lazy_mmu(mmu)]
fn main() {
    let mapping = mmu.pending(0xffff_8000_0000_0000_usize);
    println!("{:#x}", mapping.value);
}
