// The section would be used after its leave, and the pairs of later stores could be lost.
// The identity of the section is a borrow of a local variable of the function (E0716).

use lazy_mmu::{Dynamic, LazyMmu, lazy_mmu};

#[lazy_mmu(mmu)]
fn keep<'a>(kept: &mut Option<&'a mut LazyMmu<'a, Dynamic>>) {
    *kept = Some(mmu);
}

fn main() {}
