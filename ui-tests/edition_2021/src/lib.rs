//! A library that re-exports `lazy-mmu`, so that its users need not depend on it themselves.

/// The crate `lazy-mmu`, under a path of this library.
pub mod vendored {
    pub use lazy_mmu as mmu;
}

/// Defines a function whose body is a section, in the crate of the caller.
#[macro_export]
macro_rules! section_fn {
    (
        $(#[$attribute:meta])*
        $visibility:vis fn $name:ident($($parameter:ident: $type:ty),*)
        $(-> $result:ty)? $body:block
    ) => {
        $(#[$attribute])*
        #[$crate::vendored::mmu::lazy_mmu(
            crate = $crate::vendored::mmu,
            backend = $crate::vendored::mmu::sim::Sim,
        )]
        $visibility fn $name($($parameter: $type),*) $(-> $result)? $body
    };
}

/// Changes mappings with the backend of the program, which this library does not know (K06).
#[lazy_mmu::lazy_mmu(mmu)]
pub fn change_mappings() {
    mmu.note_store();
}

/// The mistake of a library that registers a backend, though the program registers one too.
#[cfg(feature = "library-registers")]
mod registers {
    lazy_mmu::set_global_backend!(lazy_mmu::sim::Sim);
}
