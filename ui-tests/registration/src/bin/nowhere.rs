//! No registration: the linker says so.

fn main() {
    ui_tests_registration::change_mappings();
}
