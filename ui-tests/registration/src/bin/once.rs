//! One registration, in the final binary.

lazy_mmu::set_global_backend!(lazy_mmu::sim::Sim);

fn main() {
    ui_tests_registration::change_mappings();
    assert_eq!(lazy_mmu::sim::pairs(&lazy_mmu::sim::take_trace()), 1);
    println!("one pair");
}
