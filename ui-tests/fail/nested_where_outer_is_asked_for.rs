// A function may need the outermost section, to sleep after its leave for example. With a nested
// guard it would still be in a section. The nesting is part of the guard's type (E0308).

use lazy_mmu::{LazyMmu, Outer, Task};

fn wants_the_outermost(_: LazyMmu<'_, Outer>) {}

fn pass_a_nested_one(task: &mut Task) {
    let mut outer = task.enter();
    wants_the_outermost(outer.nest());
}

fn main() {}
