// A function that relies on being the outermost (to sleep after the leave, say) would be in a section still.
// The level is part of the guard's type (E0308).

use lazy_mmu::{LazyMmu, Outer, Task};

fn wants_the_outermost(_: LazyMmu<'_, Outer>) {}

fn pass_a_nested_one(task: &mut Task) {
    let mut outer = task.enter();
    wants_the_outermost(outer.nest());
}

fn main() {}
