//! A library that brings `lazy-mmu` to its users: they do not depend on it themselves.

/// The crate, under a path of this library's.
pub mod vendored {
    pub use lazy_mmu as mmu;
}

/// Defines a function in a section, in the crate of the caller.
#[macro_export]
macro_rules! section_fn {
    (
        $(#[$attribute:meta])*
        $visibility:vis fn $name:ident($($parameter:ident: $type:ty),*) $(-> $result:ty)? $body:block
    ) => {
        $(#[$attribute])*
        #[$crate::vendored::mmu::lazy_mmu(
            crate = $crate::vendored::mmu,
            backend = $crate::vendored::mmu::sim::Sim,
        )]
        $visibility fn $name($($parameter: $type),*) $(-> $result)? $body
    };
}

/// Changes mappings, in the backend of the program (row K06): this library does not know it.
#[lazy_mmu::lazy_mmu(mmu)]
pub fn change_mappings() {
    mmu.note_store();
}

/// What a library must not do: the program registers a backend too.
#[cfg(feature = "library-registers")]
mod registers {
    lazy_mmu::set_global_backend!(lazy_mmu::sim::Sim);
}
