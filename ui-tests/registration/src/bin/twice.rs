//! Two registrations in one crate: the compiler says so.

lazy_mmu::set_global_backend!(lazy_mmu::sim::Sim);
lazy_mmu::set_global_backend!(lazy_mmu::sim::SimOwnByte);

fn main() {
    ui_tests_registration::change_mappings();
}
