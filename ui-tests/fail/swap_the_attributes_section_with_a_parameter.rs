// The caller would get the token that does not end the mode, the function the one that does, too early.
// The function's section is branded with a local variable of the function (E0716).

use lazy_mmu::{Dynamic, LazyMmu, lazy_mmu};

#[lazy_mmu(mmu)]
fn swap(theirs: &mut LazyMmu<'_, Dynamic>) {
    core::mem::swap(mmu, theirs);
}

fn main() {}
