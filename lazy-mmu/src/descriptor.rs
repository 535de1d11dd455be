//! Which stores need the barrier pair: the rule for each kind of translation table descriptor.
//!
//! Separate from the stores because the rules come from the architecture and from Linux's arm64 page-table code, while
//! how a store is made and deferred is the same for all of them. This is not a paging crate: a descriptor is its 64
//! bits, made by whomever (`Leaf(bits)`), wrapped in the kind that says where in the tables it stands. The constructors
//! check what would make the rule, or the walk, go wrong, no more.
//!
//! # Regimes
//!
//! The rules for tables are the same in every translation regime; that for leaves depends on whether the regime has an
//! unprivileged level, whose faults are spurious and can be handled:
//!
//! | regime | leaf | needs the pair iff |
//! |---|---|---|
//! | EL1&0, and EL2&0 (a host with FEAT_VHE: HCR_EL2.E2H is 1) | [`Leaf`] | VALID and UXN are set, and USER is clear |
//! | EL2 (HCR_EL2.E2H is 0) | [`El2Leaf`] | VALID is set |
//! | each | [`KernelLeaf`] | always: its author says so by the type |
//!
//! In EL2 bit 6 is AP\[1\] all the same, but RES1: software sets it, and it says nothing of a user; bit 54 is XN,
//! which is clear in mappings of code (Arm ARM DDI 0487, "Attribute fields in VMSAv8-64 Block and Page descriptors"). The
//! EL1&0 rule would find no kernel leaf there at all. EL2&0 has the format of EL1&0.

use core::fmt;

pub use crate::granule::{Granule, PAGE_LEVEL};

/// A 64-bit translation table descriptor that knows whether making it visible needs the pair `dsb ishst; isb`.
///
/// The decision looks at the new value only: what stood in the entry before does not matter, valid to valid counts.
/// The reason: without the `dsb` the walk may still find the old entry, and without the `isb` an instruction
/// that was fetched early may have taken the fault already. A kernel cannot handle such a fault at a kernel address,
/// so entries for kernel addresses need the pair; for user addresses the fault is spurious, and the handler returns.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say whether its store needs the barrier pair",
    label = "no `Descriptor`",
    note = "wrap the 64 bits in the kind of entry that they are: `Leaf(bits)` (at EL2 without FEAT_VHE `El2Leaf(bits)`), `Table(bits)` or `TopLevel(bits)`"
)]
pub trait Descriptor: Copy {
    /// The 64 bits that are stored.
    fn bits(self) -> u64;

    /// Whether the store must be followed by the pair before the mapping is used.
    fn needs_barrier(self) -> bool;
}

/// Bit 0 of every descriptor: the entry is valid (Arm ARM DDI 0487, "Translation table descriptor formats").
pub const VALID: u64 = 1 << 0;
/// AP\[1\], bit 6 of a leaf in the EL1&0 regime: accessible at EL0 (Linux: `PTE_USER`).
pub const USER: u64 = 1 << 6;
/// UXN, bit 54 of a leaf in the EL1&0 regime: not executable at EL0 (Linux: `PTE_UXN`).
pub const UXN: u64 = 1 << 54;
/// Bit 1: in a valid entry at levels 0 to 2, it is a table and not a block; at level 3 it is set in every valid entry.
pub const TABLE_OR_PAGE: u64 = 1 << 1;
/// AP\[2\], bit 7 of a leaf: read-only; with [`DBM`] and hardware management of dirty state, clean (Linux:
/// `PTE_RDONLY`).
pub const READ_ONLY: u64 = 1 << 7;
/// AF, bit 10 of a leaf: accessed since it was cleared (Linux: `PTE_AF`).
pub const ACCESSED: u64 = 1 << 10;
/// DBM, bit 51 of a leaf: the hardware may make it writable (FEAT_HAFDBS; Linux: `PTE_DBM`, which is its `PTE_WRITE`).
pub const DBM: u64 = 1 << 51;

/// The cleared entry, at every level.
const CLEARED: u64 = 0;
/// What a leaf may have beside its type and its address: bits 2 to 11 and 50 to 63.
const ATTRIBUTES: u64 = 0xfffc_0000_0000_0ffc;
/// The same of a table descriptor, whose bit 50 is reserved.
const TABLE_ATTRIBUTES: u64 = 0xfff8_0000_0000_0ffc;
/// nT, bit 16 of a block: it is being changed with FEAT_BBM, and may not be cached.
const NT: u64 = 1 << 16;

/// A leaf of the EL1&0 or EL2&0 regime: a page descriptor (level 3) or a block descriptor (levels 1 and 2).
///
/// It needs the pair iff it is a *valid kernel* leaf: [`VALID`] and [`UXN`] set, [`USER`] clear. USER alone does
/// not tell a kernel leaf: an execute-only user leaf has USER clear too, but its UXN is clear (Linux, arm64:
/// `pte_valid_not_user`).
///
/// ```
/// use lazy_mmu::descriptor::{Descriptor, Leaf, USER, UXN, VALID};
///
/// assert!(Leaf(0x4000_0000 | UXN | VALID).needs_barrier());
/// assert!(!Leaf(0x4000_0000 | UXN | USER | VALID).needs_barrier());
/// assert!(!Leaf::INVALID.needs_barrier());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Leaf(pub u64);

impl Descriptor for Leaf {
    #[inline]
    fn bits(self) -> u64 {
        self.0
    }

    #[inline]
    fn needs_barrier(self) -> bool {
        // UXN and USER moved to where VALID is: three instructions, where a comparison under a mask has two constants that no
        // instruction holds.
        const { assert!(VALID == 1) };
        let uxn = self.0 >> UXN.trailing_zeros();
        let user = self.0 >> USER.trailing_zeros();
        self.0 & uxn & !user & VALID != 0
    }
}

/// A leaf of which its author knows that it is a valid kernel one: it always needs the pair, and no bit of it is looked at.
///
/// For a loop that maps kernel pages and nothing else, where the look at the bits of each would be a third of its
/// instructions. An invalid or a user's leaf in it costs a pair too many, and loses nothing; [`Leaf`] is for those.
///
/// ```
/// use lazy_mmu::descriptor::{Descriptor, KernelLeaf, UXN, VALID};
///
/// assert!(KernelLeaf(0x4000_0000 | UXN | VALID).needs_barrier());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KernelLeaf(pub u64);

impl Descriptor for KernelLeaf {
    #[inline]
    fn bits(self) -> u64 {
        self.0
    }

    #[inline]
    fn needs_barrier(self) -> bool {
        true
    }
}

/// A leaf of a regime that has no unprivileged level: EL2 without FEAT_VHE.
///
/// It needs the pair iff it is [`VALID`]: every mapping is the kernel's.
///
/// ```
/// use lazy_mmu::descriptor::{Descriptor, El2Leaf, Leaf, USER, VALID};
///
/// // AP[1], where a user's leaf has USER, is RES1 at EL2.
/// let bits = 0x4000_0000 | USER | VALID;
/// assert!(El2Leaf(bits).needs_barrier());
/// assert!(!Leaf(bits).needs_barrier());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct El2Leaf(pub u64);

impl Descriptor for El2Leaf {
    #[inline]
    fn bits(self) -> u64 {
        self.0
    }

    #[inline]
    fn needs_barrier(self) -> bool {
        self.0 & VALID != 0
    }
}

/// A table descriptor at an intermediate level: the address of a next-level table.
///
/// It needs the pair iff it is [`VALID`], for user and for kernel addresses alike (Linux, arm64: `set_pmd`, `set_pud`).
/// The next-level table must have been filled, and that ordered before this store, by whoever makes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Table(pub u64);

impl Descriptor for Table {
    #[inline]
    fn bits(self) -> u64 {
        self.0
    }

    #[inline]
    fn needs_barrier(self) -> bool {
        self.0 & VALID != 0
    }
}

/// An entry of the top-level table. It always needs the pair, also when cleared (Linux, arm64: `set_pgd`, `set_p4d`).
///
/// (One that is taken away by [`unmap_table`](crate::LazyMmu::unmap_table) has the barriers of its invalidation instead.)
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TopLevel(pub u64);

impl Descriptor for TopLevel {
    #[inline]
    fn bits(self) -> u64 {
        self.0
    }

    #[inline]
    fn needs_barrier(self) -> bool {
        true
    }
}

/// A leaf of some regime: its rule is its type's.
pub trait LeafDescriptor: Descriptor {
    /// These bits as such a leaf.
    fn leaf(bits: u64) -> Self;
}

impl LeafDescriptor for Leaf {
    #[inline]
    fn leaf(bits: u64) -> Self {
        Self(bits)
    }
}

impl LeafDescriptor for KernelLeaf {
    #[inline]
    fn leaf(bits: u64) -> Self {
        Self(bits)
    }
}

impl LeafDescriptor for El2Leaf {
    #[inline]
    fn leaf(bits: u64) -> Self {
        Self(bits)
    }
}

/// What is wrong with the bits of a descriptor, or with what it should be made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum BadDescriptor {
    /// The output address is not a multiple of what the descriptor maps, or of the table's size.
    Unaligned {
        /// The address.
        address: u64,
        /// What it must be a multiple of, in bytes.
        align: u64,
    },
    /// The output address has more than 48 bits.
    TooLarge {
        /// The address.
        address: u64,
    },
    /// The granule has no descriptors of this kind at this level.
    NoSuchLevel {
        /// The level.
        level: u8,
    },
    /// A table descriptor where a leaf is expected.
    IsTable {
        /// The descriptor.
        bits: u64,
    },
    /// A block or page descriptor where a table is expected.
    IsLeaf {
        /// The descriptor.
        bits: u64,
    },
    /// Bits that are reserved there, or (in attributes) the type's or the address's.
    Reserved {
        /// Those bits.
        bits: u64,
    },
}

impl fmt::Display for BadDescriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unaligned { address, align } => {
                write!(
                    f,
                    "the output address {address:#x} is not a multiple of {align:#x}"
                )
            }
            Self::TooLarge { address } => {
                write!(f, "the output address {address:#x} has more than 48 bits")
            }
            Self::NoSuchLevel { level } => {
                write!(
                    f,
                    "there are no such descriptors at level {level} with this granule"
                )
            }
            Self::IsTable { bits } => write!(f, "{bits:#x} is a table descriptor, and no leaf"),
            Self::IsLeaf { bits } => write!(f, "{bits:#x} is a leaf, and no table descriptor"),
            Self::Reserved { bits } => write!(f, "the bits {bits:#x} are reserved there"),
        }
    }
}

impl core::error::Error for BadDescriptor {}

/// The output address, if it can be that of a descriptor for `size` bytes.
const fn output_address(address: u64, size: u64) -> Result<u64, BadDescriptor> {
    if address >> 48 != 0 {
        Err(BadDescriptor::TooLarge { address })
    } else if address & (size - 1) != 0 {
        let align = size;
        Err(BadDescriptor::Unaligned { address, align })
    } else {
        Ok(address)
    }
}

/// The bits of a leaf that maps what an entry at `level` translates.
const fn leaf(
    granule: Granule,
    level: u8,
    address: u64,
    attributes: u64,
) -> Result<u64, BadDescriptor> {
    let (Some(size), true) = (
        granule.entry_size(level),
        level == PAGE_LEVEL || granule.has_blocks(level),
    ) else {
        return Err(BadDescriptor::NoSuchLevel { level });
    };
    let (kind, more) = if level == PAGE_LEVEL {
        (TABLE_OR_PAGE, 0)
    } else {
        (0, NT)
    };
    if attributes & !(ATTRIBUTES | more) != 0 {
        let bits = attributes & !(ATTRIBUTES | more);
        return Err(BadDescriptor::Reserved { bits });
    }
    match output_address(address, size) {
        Ok(address) => Ok(address | attributes | kind | VALID),
        Err(error) => Err(error),
    }
}

/// `bits`, if they are a leaf at `level`; an invalid entry is one at every level that there is.
const fn checked_leaf(granule: Granule, level: u8, bits: u64) -> Result<u64, BadDescriptor> {
    let Some(size) = granule.entry_size(level) else {
        return Err(BadDescriptor::NoSuchLevel { level });
    };
    if bits & VALID == 0 {
        return Ok(bits);
    }
    let (more, is_page) = if level == PAGE_LEVEL {
        (0, true)
    } else {
        (NT, false)
    };
    if (bits & TABLE_OR_PAGE != 0) != is_page {
        return Err(if is_page {
            // Valid without bit 1 is reserved at level 3.
            BadDescriptor::Reserved { bits: VALID }
        } else {
            BadDescriptor::IsTable { bits }
        });
    }
    if !is_page && !granule.has_blocks(level) {
        return Err(BadDescriptor::NoSuchLevel { level });
    }
    let address = (1 << 48) - size;
    let reserved = bits & !(ATTRIBUTES | more | address | TABLE_OR_PAGE | VALID);
    if reserved == 0 {
        Ok(bits)
    } else {
        Err(BadDescriptor::Reserved { bits: reserved })
    }
}

/// The bits of a descriptor that points to a next-level table.
const fn table(
    granule: Granule,
    level: u8,
    address: u64,
    attributes: u64,
) -> Result<u64, BadDescriptor> {
    if level >= PAGE_LEVEL || granule.entry_size(level).is_none() {
        return Err(BadDescriptor::NoSuchLevel { level });
    }
    if attributes & !TABLE_ATTRIBUTES != 0 {
        let bits = attributes & !TABLE_ATTRIBUTES;
        return Err(BadDescriptor::Reserved { bits });
    }
    match output_address(address, granule.page_size()) {
        Ok(address) => Ok(address | attributes | TABLE_OR_PAGE | VALID),
        Err(error) => Err(error),
    }
}

/// `bits`, if they are a table descriptor at `level`, or invalid.
const fn checked_table(granule: Granule, level: u8, bits: u64) -> Result<u64, BadDescriptor> {
    if level >= PAGE_LEVEL || granule.entry_size(level).is_none() {
        return Err(BadDescriptor::NoSuchLevel { level });
    }
    if bits & VALID == 0 {
        return Ok(bits);
    }
    if bits & TABLE_OR_PAGE == 0 {
        return Err(BadDescriptor::IsLeaf { bits });
    }
    let address = (1 << 48) - granule.page_size();
    let reserved = bits & !(TABLE_ATTRIBUTES | address | TABLE_OR_PAGE | VALID);
    if reserved == 0 {
        Ok(bits)
    } else {
        Err(BadDescriptor::Reserved { bits: reserved })
    }
}

/// What the kinds have in common, in terms of the functions above.
macro_rules! constructors {
    ($($kind:ident: $make:ident, $check:ident, $what:literal, $address:literal;)*) => {$(
        impl $kind {
            /// The cleared entry.
            pub const INVALID: Self = Self(CLEARED);

            #[doc = $what]
            ///
            /// `address` is a physical one, in bytes; `attributes` are the bits 2 to 11 and 50 to 63 of the descriptor (of a
            /// table 51 to 63, of a block nT, bit 16, too).
            ///
            /// # Errors
            ///
            #[doc = $address]
            /// [`BadDescriptor::Reserved`] if the attributes have other bits.
            pub const fn new(
                granule: Granule,
                level: u8,
                address: u64,
                attributes: u64,
            ) -> Result<Self, BadDescriptor> {
                match $make(granule, level, address, attributes) {
                    Ok(bits) => Ok(Self(bits)),
                    Err(error) => Err(error),
                }
            }

            /// Somebody else's descriptor, checked. An invalid one is of every kind.
            ///
            /// # Errors
            ///
            /// [`BadDescriptor`], if the bits are no descriptor of this kind at `level`, or have reserved bits set.
            pub const fn from_bits(
                granule: Granule,
                level: u8,
                bits: u64,
            ) -> Result<Self, BadDescriptor> {
                match $check(granule, level, bits) {
                    Ok(bits) => Ok(Self(bits)),
                    Err(error) => Err(error),
                }
            }

            /// Whether the walk goes on, or ends in a mapping; an invalid entry faults.
            #[inline]
            pub const fn is_valid(self) -> bool {
                self.0 & VALID != 0
            }

            /// The physical address in the descriptor, in bytes; of no meaning in an invalid one.
            #[inline]
            pub const fn address(self, granule: Granule) -> u64 {
                // nT is inside the address field of a block, and no part of the address.
                let more = if self.0 & TABLE_OR_PAGE == 0 { NT } else { 0 };
                self.0 & ((1 << 48) - granule.page_size()) & !more
            }
        }
    )*};
}

constructors! {
    Leaf: leaf, checked_leaf,
        "A valid page (level 3) or block (above) of the EL1&0 or EL2&0 regime.",
        "[`BadDescriptor::NoSuchLevel`], [`Unaligned`](BadDescriptor::Unaligned) to what the entry maps, [`TooLarge`](BadDescriptor::TooLarge);";
    KernelLeaf: leaf, checked_leaf,
        "A valid page (level 3) or block (above) for kernel addresses, of whichever regime.",
        "[`BadDescriptor::NoSuchLevel`], [`Unaligned`](BadDescriptor::Unaligned) to what the entry maps, [`TooLarge`](BadDescriptor::TooLarge);";
    El2Leaf: leaf, checked_leaf,
        "A valid page (level 3) or block (above) of the EL2 regime.",
        "[`BadDescriptor::NoSuchLevel`], [`Unaligned`](BadDescriptor::Unaligned) to what the entry maps, [`TooLarge`](BadDescriptor::TooLarge);";
    Table: table, checked_table,
        "A valid table descriptor.",
        "[`BadDescriptor::NoSuchLevel`], [`Unaligned`](BadDescriptor::Unaligned) to a page, [`TooLarge`](BadDescriptor::TooLarge);";
    TopLevel: table, checked_table,
        "A valid table descriptor of the top-level table.",
        "[`BadDescriptor::NoSuchLevel`], [`Unaligned`](BadDescriptor::Unaligned) to a page, [`TooLarge`](BadDescriptor::TooLarge);";
}
