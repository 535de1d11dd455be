//! Guards and tokens that are held across an `.await`, and a guard that is left before it.
//!
//! This file is not a part of any package. `ui-tests/tests/warnings.rs` runs Clippy on it.

use lazy_mmu::{Global, Task, raw};

async fn other_tasks_run() {}

pub async fn section(task: &mut Task) {
    let _held = task.enter();
    other_tasks_run().await;
}

pub async unsafe fn tokens() {
    let section = unsafe { raw::enter::<Global>() };
    let pause = unsafe { raw::pause::<Global>() };
    other_tasks_run().await;
    unsafe { raw::resume::<Global>(pause) };
    unsafe { raw::leave::<Global>(section) };
}

pub async fn left_before(task: &mut Task) {
    task.enter().leave();
    other_tasks_run().await;
}
