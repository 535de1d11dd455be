// The nested section would not defer, though its type says that it does.
// The pause borrows the section (E0500, E0501).

#[lazy_mmu::lazy_mmu(mmu)]
fn main() {
    mmu.paused(|| drop(mmu.nest().leave()));
}
