//! A program whose features choose the registered backends. Only one backend can be linked.

use lazy_mmu::sim::{pairs, take_trace};

#[cfg(feature = "registers")]
lazy_mmu::set_global_backend!(lazy_mmu::sim::Sim);

#[cfg(feature = "registers-another")]
lazy_mmu::set_global_backend!(lazy_mmu::sim::SimOwnByte);

// The eager form of the registered backend, registered itself. It would call itself for ever.
#[cfg(feature = "registers-itself")]
lazy_mmu::set_global_backend!(lazy_mmu::Eager<lazy_mmu::Global>);

#[cfg(feature = "library-is-unused")]
use ui_tests_2021 as _;

#[cfg_attr(feature = "library-is-unused", lazy_mmu::lazy_mmu)]
fn main() {
    #[cfg(not(feature = "library-is-unused"))]
    ui_tests_2021::change_mappings();
    println!("{} pair", pairs(&take_trace()));
}
