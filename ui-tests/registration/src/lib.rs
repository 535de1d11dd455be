//! A library that uses the attribute without knowing the backend (row K06); and one that should not register one.

/// Changes mappings, in the program's backend.
#[lazy_mmu::lazy_mmu(mmu)]
pub fn change_mappings() {
    mmu.note_store();
}

/// What a library must not do: the program registers a backend too.
#[cfg(feature = "library-registers")]
mod registers {
    lazy_mmu::set_global_backend!(lazy_mmu::sim::Sim);
}
