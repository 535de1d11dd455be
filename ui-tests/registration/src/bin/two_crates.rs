//! Two registrations, one of them in a library: the linker says so.

lazy_mmu::set_global_backend!(lazy_mmu::sim::SimOwnByte);

fn main() {
    ui_tests_registration::change_mappings();
}
