// The task could continue on another thread, in the middle of the first thread's section.
// The closure is not async (E0728).

use lazy_mmu::sim::Sim;

async fn await_inside() {
    lazy_mmu::with::<Sim, _>(|_| core::future::ready(()).await);
}

fn main() {}
