//! What the three recipes share: tables, and the work that their tasks do.
//!
//! Row K12. A recipe says where the bits of a section live in a kernel that switches tasks:
//! `byte_per_task`, `byte_per_cpu`, `byte_swapped`. The lines that a kernel has for `lazy-mmu`
//! alone stand in the recipes between `// lazy-mmu: begin` and `// lazy-mmu: end`. Nothing of this
//! library is for `lazy-mmu`, but `work`, which uses the sections and checks what they find.

#![no_std]
#![expect(clippy::missing_panics_doc, reason = "as in `lazy_mmu_qemu`")]

pub mod tables;
pub mod work;
