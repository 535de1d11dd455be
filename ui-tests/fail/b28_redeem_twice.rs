// A mapping that must have one owner, a unique handle for example, would have two.
// `get` consumes the pending mapping (E0382).

#[lazy_mmu::lazy_mmu(mmu)]
fn main() {
    let mapping = mmu.pending(String::from("unique"));
    let proof = mmu.flush();
    drop(mapping.get(&proof));
    drop(mapping.get(&proof));
}
