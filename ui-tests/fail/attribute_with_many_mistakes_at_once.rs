// Who has made three mistakes should not have to compile three times to see them.
// Every mistake is reported, each on its token, and nothing else.

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
