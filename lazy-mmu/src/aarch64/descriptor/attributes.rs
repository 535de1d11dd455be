//! The bits of a descriptor by name, and sets of bits that make a working mapping.
//!
//! The file is separate from the rules, because the bits are the architecture's encoding and not
//! decisions of this crate (Arm ARM DDI 0487, "Attribute fields in VMSAv8-64 Block and Page
//! descriptors").

/// Bit 0 of every descriptor: the entry is valid.
///
/// The page of the [module](super#attributes) shows how bits combine.
pub const VALID: u64 = 1 << 0;
/// Bit 1 of a valid descriptor. At levels 0 to 2 it makes the entry a table instead of a block. At
/// level 3 it is always set.
///
/// The page of the [module](super#attributes) shows how bits combine.
pub const TABLE_OR_PAGE: u64 = 1 << 1;
/// AP\[1\], bit 6 of a leaf in the EL1&0 regime: EL0 may access the page (Linux: `PTE_USER`).
///
/// The page of the [module](super#attributes) shows how bits combine.
pub const USER: u64 = 1 << 6;
/// AP\[2\], bit 7 of a leaf: the page is read-only (Linux: `PTE_RDONLY`). With [`DBM`] and hardware
/// management of dirty state it means clean.
///
/// The page of the [module](super#attributes) shows how bits combine.
pub const READ_ONLY: u64 = 1 << 7;
/// SH\[1:0\] = 0b10, bits 9:8 of a leaf: Outer Shareable.
///
/// The page of the [module](super#attributes) shows how bits combine.
pub const OUTER_SHAREABLE: u64 = 0b10 << 8;
/// SH\[1:0\] = 0b11, bits 9:8 of a leaf: Inner Shareable (Linux: `PTE_SHARED`). Memory that all
/// CPUs of the kernel use is Inner Shareable. The field does not matter for Device memory.
///
/// The page of the [module](super#attributes) shows how bits combine.
pub const INNER_SHAREABLE: u64 = 0b11 << 8;
/// AF, bit 10 of a leaf: the page has been accessed since the flag was cleared (Linux: `PTE_AF`).
/// Without hardware management of the flag, an access to a page whose flag is clear faults.
///
/// The page of the [module](super#attributes) shows how bits combine.
pub const ACCESSED: u64 = 1 << 10;
/// nG, bit 11 of a leaf: the translation belongs to the current ASID only (Linux: `PTE_NG`).
///
/// The page of the [module](super#attributes) shows how bits combine.
pub const NON_GLOBAL: u64 = 1 << 11;
/// DBM, bit 51 of a leaf: the hardware may make the page writable when it is written (FEAT_HAFDBS;
/// Linux: `PTE_DBM`, which is its `PTE_WRITE`).
///
/// The page of the [module](super#attributes) shows how bits combine.
pub const DBM: u64 = 1 << 51;
/// Contiguous, bit 52 of a leaf: a TLB may hold one entry for the whole
/// [group](super::super::contiguous::ContiguousGroup) of leaves to which this one belongs (Linux:
/// `PTE_CONT`).
///
/// The page of the [module](super#attributes) shows how bits combine.
pub const CONTIGUOUS: u64 = 1 << 52;
/// PXN, bit 53 of a leaf in the EL1&0 regime: EL1 may not execute the page (Linux: `PTE_PXN`).
///
/// The page of the [module](super#attributes) shows how bits combine.
pub const PXN: u64 = 1 << 53;
/// UXN, bit 54 of a leaf in the EL1&0 regime: EL0 may not execute the page (Linux: `PTE_UXN`). In
/// the EL2 regime the bit is XN: EL2 may not execute the page.
///
/// The page of the [module](super#attributes) shows how bits combine.
pub const UXN: u64 = 1 << 54;

/// Returns the attribute for memory type number `index`: AttrIndx, bits 4:2 of a leaf.
///
/// The number selects one of the 8 bytes of MAIR_ELx, in which the kernel keeps its memory types.
///
/// ```
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf, memory_type};
///
/// /// Byte 0 is Device-nGnRE memory (0x04). Byte 1 is normal write-back memory (0xff).
/// const MAIR_EL1: u64 = 0xff04;
/// const DEVICE: u64 = KERNEL_DATA | memory_type(0);
/// const NORMAL: u64 = KERNEL_DATA | memory_type(1);
///
/// let type_of = |page: Leaf| MAIR_EL1 >> (8 * (page.0 >> 2 & 0b111)) & 0xff;
/// assert_eq!(type_of(Leaf::page(0x0900_0000, DEVICE)), 0x04);
/// assert_eq!(type_of(Leaf::page(0x4000_0000, NORMAL)), 0xff);
/// ```
///
/// # Panics
///
/// If `index` is greater than 7.
#[inline]
pub const fn memory_type(index: u64) -> u64 {
    assert!(index < 8, "MAIR_ELx has 8 memory types, numbers 0 to 7");
    index << 2
}

/// A kernel's data: EL1 may read and write. Use it for a device's registers too, with the [memory
/// type](memory_type) of Device memory.
///
/// The page of the [module](super#attributes) shows how bits combine.
pub const KERNEL_DATA: u64 = INNER_SHAREABLE | ACCESSED | PXN | UXN;
/// A kernel's constants: EL1 may read.
///
/// The page of the [module](super#attributes) shows how bits combine.
pub const KERNEL_READ_ONLY: u64 = KERNEL_DATA | READ_ONLY;
/// A kernel's code: EL1 may read and execute. EL0 may not access it.
///
/// The page of the [module](super#attributes) shows how bits combine.
pub const KERNEL_TEXT: u64 = INNER_SHAREABLE | ACCESSED | READ_ONLY | UXN;
/// A user's data: EL0 and EL1 may read and write. It belongs to the current ASID.
///
/// The page of the [module](super#attributes) shows how bits combine.
pub const USER_DATA: u64 = KERNEL_DATA | USER | NON_GLOBAL;
/// A user's constants: EL0 and EL1 may read. They belong to the current ASID.
///
/// The page of the [module](super#attributes) shows how bits combine.
pub const USER_READ_ONLY: u64 = USER_DATA | READ_ONLY;
/// A user's code: EL0 may read and execute, EL1 may read. It belongs to the current ASID.
///
/// The page of the [module](super#attributes) shows how bits combine.
pub const USER_TEXT: u64 = INNER_SHAREABLE | ACCESSED | READ_ONLY | USER | NON_GLOBAL | PXN;
/// Data in the EL2 regime (HCR_EL2.E2H is 0): EL2 may read and write. Bit 6, AP\[1\], is RES1
/// there.
///
/// The page of the [module](super#attributes) shows how bits combine.
pub const EL2_DATA: u64 = INNER_SHAREABLE | ACCESSED | USER | UXN;
/// Code in the EL2 regime (HCR_EL2.E2H is 0): EL2 may read and execute.
///
/// The page of the [module](super#attributes) shows how bits combine.
pub const EL2_TEXT: u64 = INNER_SHAREABLE | ACCESSED | USER | READ_ONLY;
