// The section would be used after it was left: its stores would be deferred for ever.
// The section is branded with a local variable of the function.

use lazy_mmu::{Dynamic, LazyMmu, lazy_mmu};

#[lazy_mmu(mmu)]
fn keep<'a>(kept: &mut Option<&'a mut LazyMmu<'a, Dynamic>>) {
    *kept = Some(mmu);
}

fn main() {}
