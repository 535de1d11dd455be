// The flush would act on a section that has ended.
// Leaving consumes the guard (E0382).

use lazy_mmu::Task;

fn flush_after_leave(task: &mut Task) {
    let mut section = task.enter();
    section.leave();
    section.flush();
}

fn main() {}
