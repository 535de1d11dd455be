// The task could continue on another thread, in the middle of the first thread's section.
// The attribute refuses `async`, on that token, and says what to write instead.

use lazy_mmu::lazy_mmu;

#[lazy_mmu]
async fn map() {}

fn main() {
    // The function still exists, and the call is not a second error.
    drop(map());
}
