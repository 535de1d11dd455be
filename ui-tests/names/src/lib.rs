//! The attribute in crates where the name `lazy_mmu` does not exist, or has another meaning. The
//! programs are in `tests`.
