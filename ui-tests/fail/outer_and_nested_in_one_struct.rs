// Fields are dropped in the order in which they stand: the outer section would be left first.
// The nested guard borrows the outer one, which then cannot be moved into the struct (E0505).

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
