// The nested section would defer nothing, though its type says that it does.
// The pause borrows the section (E0500).

#[lazy_mmu::lazy_mmu(mmu)]
fn main() {
    mmu.paused(|| drop(mmu.nest().leave()));
}
