// A mapping would be used before its barrier pair, when a walk may still find the old entry.
// The value is private, and only `get` with a proof returns it (E0616).

#[lazy_mmu::lazy_mmu(mmu)]
fn main() {
    let mapping = mmu.pending(0xffff_8000_0000_0000_usize);
    println!("{:#x}", mapping.value);
}
