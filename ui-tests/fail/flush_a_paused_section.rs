// Nothing can be pending while the mode is paused: the flush is a mistake.
// The pause borrows the section (E0500).

#[lazy_mmu::lazy_mmu(mmu)]
fn main() {
    mmu.paused(|| {
        mmu.flush();
    });
}
