// The task might go on on another thread, in the middle of this one's section.
// The attribute refuses `async`, on that token, and says what to do instead.

use lazy_mmu::lazy_mmu;

#[lazy_mmu]
async fn map() {}

fn main() {
    // The function is there all the same: no second error.
    drop(map());
}
