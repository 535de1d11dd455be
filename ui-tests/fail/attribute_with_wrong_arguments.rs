// A misspelt argument that was ignored would put the stores into another backend's section, or none.
// The attribute refuses what it does not know, and all mistakes are reported at once, each on its token.

use lazy_mmu::lazy_mmu;

#[lazy_mmu(backed = Sim)]
fn unknown() {}

#[lazy_mmu(backend = Sim, mmu, backend = Sim)]
fn repeated() {}

#[lazy_mmu(backend, mmu = 7, crate = )]
fn without_values() {}

#[lazy_mmu("Sim")]
fn no_argument() {}

#[lazy_mmu(backend = Sim mmu)]
fn no_comma() {}

#[lazy_mmu(backed = Sim)]
async fn two_mistakes() {}

fn main() {
    (unknown(), repeated(), without_values(), no_argument(), no_comma());
    drop(two_mistakes());
}
