// An author who makes three mistakes should see all of them after one compilation.
// The attribute reports each mistake on its token, and reports nothing else.

use lazy_mmu::lazy_mmu;

#[lazy_mmu(backed = Sim, mmu, mmu)]
#[lazy_mmu]
const async unsafe extern "C" fn map() {}

trait Map {
    #[lazy_mmu(pause)]
    async fn map(&self);
}

fn main() {
    drop(unsafe { map() });
}
