// If the attribute ignored a misspelt argument, the stores could be in another backend's section.
// The attribute refuses unknown arguments, and reports all mistakes at once, each on its token.

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
