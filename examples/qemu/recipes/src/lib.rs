//! The library of the three recipes: tables, and the work of their tasks.
//!
//! K12. The recipes `byte_per_task`, `byte_per_cpu` and `byte_swapped` show where the bits can be
//! in a kernel that switches tasks. In each recipe, the lines that a kernel needs only for
//! `lazy-mmu` are between `// lazy-mmu: begin` and `// lazy-mmu: end`. In this library, only `work`
//! uses `lazy-mmu` for sections, and checks their effects.

#![no_std]
#![expect(clippy::missing_panics_doc, reason = "as in `lazy_mmu_qemu`")]

pub mod tables;
pub mod work;
