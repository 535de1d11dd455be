// Fields are dropped in the order of their declaration: the outer section would be left first.
// The nested guard borrows the outer one, and a borrowed guard cannot be moved (E0505, E0515).

use lazy_mmu::{LazyMmu, Nested, Outer, Task};

struct Both<'a> {
    outer: LazyMmu<'a, Outer>,
    nested: LazyMmu<'a, Nested>,
}

fn together<'a>(task: &'a mut Task) -> Both<'a> {
    let mut outer = task.enter();
    let nested = outer.nest();
    Both { outer, nested }
}

fn main() {}
