// A paused section cannot have a pending pair, and the flush would be a mistake.
// The pause borrows the section (E0500, E0501).

#[lazy_mmu::lazy_mmu(mmu)]
fn main() {
    mmu.paused(|| {
        mmu.flush();
    });
}
