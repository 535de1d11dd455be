// The task could continue on another thread, in the middle of the first thread's section.
// The guard is not `Send`, and therefore the future that holds the guard is not `Send` either.

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
