// One backend's bits would record the store, and the leave would read the bits of another backend.
// The backend is part of the guard's type (E0308).

use lazy_mmu::sim::{Sim, SimOwnByte};
use lazy_mmu::{LazyMmu, Outer, Task};

fn store(_: &mut LazyMmu<'_, Outer, SimOwnByte>) {}

fn mix(task: &mut Task<Sim>) {
    let mut section = task.enter();
    store(&mut section);
}

fn main() {}
