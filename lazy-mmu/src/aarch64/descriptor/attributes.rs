//! The bits of a descriptor by name, and sets of them that make a mapping that works.
//!
//! Separate from the rules because they are the architecture's encoding (Arm ARM DDI 0487,
//! "Attribute fields in VMSAv8-64 Block and Page descriptors"), not this crate's decisions.
//!
//! A mapping works if the entry is valid, has the type of its level, and has the access flag set.
//! The sets `KERNEL_DATA` and its siblings say so and who may do what; [`memory_type`] adds the
//! kind of memory, whose numbers are the kernel's own:
//!
//! ```
//! use lazy_mmu::aarch64::Granule;
//! use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf, memory_type};
//!
//! /// Normal memory, if MAIR_EL1 has its attributes in the byte number 1.
//! const NORMAL: u64 = KERNEL_DATA | memory_type(1);
//!
//! let page = Leaf::page(0x4000_0000, NORMAL);
//! let block = Leaf::new(Granule::Kib4, 2, 0x4000_0000, NORMAL)?;
//! # assert_eq!((page.0, block.0), (0x0060_0000_4000_0707, 0x0060_0000_4000_0705));
//! # Ok::<(), lazy_mmu::aarch64::descriptor::BadDescriptor>(())
//! ```

/// Bit 0 of every descriptor: the entry is valid.
pub const VALID: u64 = 1 << 0;
/// Bit 1. In a valid entry at levels 0 to 2 it means a table instead of a block; in a valid entry
/// at level 3 it is always set.
pub const TABLE_OR_PAGE: u64 = 1 << 1;
/// AP\[1\], bit 6 of a leaf in the EL1&0 regime: EL0 may access the page (Linux: `PTE_USER`).
pub const USER: u64 = 1 << 6;
/// AP\[2\], bit 7 of a leaf: read-only; with [`DBM`] and hardware management of dirty state, clean
/// (Linux: `PTE_RDONLY`).
pub const READ_ONLY: u64 = 1 << 7;
/// SH\[1:0\] = 0b10, bits 9:8 of a leaf: Outer Shareable.
pub const OUTER_SHAREABLE: u64 = 0b10 << 8;
/// SH\[1:0\] = 0b11, bits 9:8 of a leaf: Inner Shareable, as memory that all CPUs of the kernel use
/// (Linux: `PTE_SHARED`). For Device memory the field means nothing.
pub const INNER_SHAREABLE: u64 = 0b11 << 8;
/// AF, bit 10 of a leaf: the page was accessed since the flag was cleared. Without hardware
/// management of the flag an access to a page whose flag is clear faults (Linux: `PTE_AF`).
pub const ACCESSED: u64 = 1 << 10;
/// nG, bit 11 of a leaf: the translation belongs to the current ASID only (Linux: `PTE_NG`).
pub const NON_GLOBAL: u64 = 1 << 11;
/// DBM, bit 51 of a leaf: the hardware may make it writable (FEAT_HAFDBS; Linux: `PTE_DBM`, which
/// is its `PTE_WRITE`).
pub const DBM: u64 = 1 << 51;
/// Contiguous, bit 52 of a leaf: a TLB may hold one entry for the whole
/// [group](super::super::contiguous::ContiguousGroup) of leaves that this one is in (Linux:
/// `PTE_CONT`).
pub const CONTIGUOUS: u64 = 1 << 52;
/// PXN, bit 53 of a leaf in the EL1&0 regime: EL1 may not execute the page (Linux: `PTE_PXN`).
pub const PXN: u64 = 1 << 53;
/// UXN, bit 54 of a leaf in the EL1&0 regime: EL0 may not execute the page (Linux: `PTE_UXN`). In
/// the EL2 regime the bit is XN: nobody may.
pub const UXN: u64 = 1 << 54;

/// The memory type number `index`: AttrIndx, bits 4:2 of a leaf. It selects one of the 8 bytes of
/// MAIR_ELx, in which the kernel keeps its memory types.
///
/// # Panics
///
/// If `index` is over 7.
#[inline]
pub const fn memory_type(index: u64) -> u64 {
    assert!(index < 8, "MAIR_ELx has 8 memory types, numbers 0 to 7");
    index << 2
}

/// A kernel's data: EL1 reads and writes, nobody executes. For a device's registers too, with the
/// [memory type](memory_type) of Device memory.
pub const KERNEL_DATA: u64 = INNER_SHAREABLE | ACCESSED | PXN | UXN;
/// A kernel's constants: EL1 reads, nobody executes.
pub const KERNEL_READ_ONLY: u64 = KERNEL_DATA | READ_ONLY;
/// A kernel's code: EL1 reads and executes, EL0 does not.
pub const KERNEL_TEXT: u64 = INNER_SHAREABLE | ACCESSED | READ_ONLY | UXN;
/// A user's data: EL0 and EL1 read and write, nobody executes; of the current ASID.
pub const USER_DATA: u64 = KERNEL_DATA | USER | NON_GLOBAL;
/// A user's constants: EL0 and EL1 read, nobody executes; of the current ASID.
pub const USER_READ_ONLY: u64 = USER_DATA | READ_ONLY;
/// A user's code: EL0 reads and executes, EL1 only reads; of the current ASID.
pub const USER_TEXT: u64 = INNER_SHAREABLE | ACCESSED | READ_ONLY | USER | NON_GLOBAL | PXN;
/// Data in the EL2 regime (HCR_EL2.E2H is 0): EL2 reads and writes. Bit 6, AP\[1\], is RES1 there.
pub const EL2_DATA: u64 = INNER_SHAREABLE | ACCESSED | USER | UXN;
/// Code in the EL2 regime (HCR_EL2.E2H is 0): EL2 reads and executes.
pub const EL2_TEXT: u64 = INNER_SHAREABLE | ACCESSED | USER | READ_ONLY;
