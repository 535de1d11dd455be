//! A library that brings `lazy-mmu` to its users: they do not depend on it themselves.

/// The crate, under a path of this library's.
pub mod vendored {
    pub use lazy_mmu as mmu;
}

/// Defines a function in a section, in the crate of the caller.
#[macro_export]
macro_rules! section_fn {
    ($(#[$attribute:meta])* $visibility:vis fn $name:ident($($parameter:ident: $type:ty),*) $(-> $result:ty)? $body:block) => {
        $(#[$attribute])*
        #[$crate::vendored::mmu::lazy_mmu(
            crate = $crate::vendored::mmu,
            backend = $crate::vendored::mmu::sim::Sim,
        )]
        $visibility fn $name($($parameter: $type),*) $(-> $result)? $body
    };
}
