// The second leave would flush in somebody else's place; at the level of the crate's promises it does not exist.
// Leaving consumes the guard, at each level (E0382).

#[lazy_mmu::lazy_mmu(mmu)]
fn main() {
    let nested = mmu.nest();
    nested.leave();
    nested.leave();
}
