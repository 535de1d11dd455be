// The task might go on on another thread, in the middle of this one's section.
// The guard is not `Send`, so the future that holds it is not either.

use lazy_mmu::Task;
use lazy_mmu::sim::Sim;

fn spawn(_: impl Future<Output = ()> + Send) {}

async fn sleeps() {}

fn hold(task: &'static mut Task<Sim>) {
    spawn(async {
        let section = task.enter();
        sleeps().await;
        drop(section);
    });
}

fn main() {}
