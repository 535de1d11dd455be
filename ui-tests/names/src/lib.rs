//! The attribute where the name `lazy_mmu` is not there, or means something else: see `tests`.
