//! The dependency has another name, which the argument `crate` gives.

use sections::lazy_mmu;
use sections::sim::{Sim, pairs, take_trace};

sections::set_global_backend!(Sim);

#[lazy_mmu(crate = sections)]
fn by_the_registered_backend() {
    sections::note_store::<sections::Global>();
}

#[lazy_mmu(backend = Sim, mmu, crate = ::sections)]
fn by_an_absolute_path() {
    mmu.note_store();
}

#[sections::lazy_mmu(crate = crate::alias, paused)]
fn by_a_path_of_this_crate() {
    sections::note_store::<Sim>();
}

use sections as alias;

#[test]
fn each_function_has_its_section() {
    by_the_registered_backend();
    by_an_absolute_path();
    by_a_path_of_this_crate();
    assert_eq!(pairs(&take_trace()), 3);
}
