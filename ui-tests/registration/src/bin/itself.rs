//! The registered backend, switched off, as the registered backend: it would call itself for ever.

lazy_mmu::set_global_backend!(lazy_mmu::Eager<lazy_mmu::Global>);

fn main() {
    ui_tests_registration::change_mappings();
}
