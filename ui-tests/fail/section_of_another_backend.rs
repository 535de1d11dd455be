// The store would be deferred in one backend's bits, and the leave would look at another's.
// The backend is part of the guard's type (E0308).

use lazy_mmu::sim::{Sim, SimOwnByte};
use lazy_mmu::{LazyMmu, Outer, Task};

fn store(_: &mut LazyMmu<'_, Outer, SimOwnByte>) {}

fn mix(task: &mut Task<Sim>) {
    let mut section = task.enter();
    store(&mut section);
}

fn main() {}
