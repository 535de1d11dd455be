// The second leave would flush in the place of another section.
// Leaving consumes a guard of each nesting (E0382).

#[lazy_mmu::lazy_mmu(mmu)]
fn main() {
    let nested = mmu.nest();
    nested.leave();
    nested.leave();
}
