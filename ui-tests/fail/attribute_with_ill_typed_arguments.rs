// A string or a number in the place of a path would fail inside the expansion, not where it is.
// The attribute reports the expected kind of value, on the token of the mistake.

use lazy_mmu::lazy_mmu;

#[lazy_mmu(backend = "Sim")]
fn backend_as_text() {}

#[lazy_mmu(backend = &'static Sim)]
fn backend_as_reference() {}

#[lazy_mmu(mmu = "mmu")]
fn name_as_text() {}

#[lazy_mmu(mmu = self)]
fn name_as_keyword() {}

#[lazy_mmu(mmu = a::b)]
fn name_as_path() {}

#[lazy_mmu(mmu(section))]
fn name_in_parentheses() {}

#[lazy_mmu(paused = true)]
fn paused_with_a_value() {}

#[lazy_mmu(crate = "renamed")]
fn crate_as_text() {}

#[lazy_mmu = "Sim"]
fn text_behind_the_attribute() {}

#[lazy_mmu(backend = Pair<&str, u8, +>, mmu, mmu)]
fn two_in_one_list() {}

fn main() {
    (backend_as_text(), backend_as_reference(), name_as_text(), name_as_keyword(), name_as_path());
    (name_in_parentheses(), paused_with_a_value(), crate_as_text(), two_in_one_list());
    text_behind_the_attribute();
}
