// The function would end the mode too early, and the caller's leave would not end it. The identity
// of the function's section is a borrow of a local variable of the function (E0716).

use lazy_mmu::{Dynamic, LazyMmu, lazy_mmu};

#[lazy_mmu(mmu)]
fn swap(theirs: &mut LazyMmu<'_, Dynamic>) {
    core::mem::swap(mmu, theirs);
}

fn main() {}
