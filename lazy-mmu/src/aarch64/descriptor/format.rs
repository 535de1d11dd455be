//! Checks the fields of a descriptor: which bits a leaf or a table descriptor may have at a level,
//! and where its address is (Arm ARM DDI 0487, "Translation table descriptor formats").
//!
//! The file is separate from the descriptor types, because they share the format, while their
//! barrier rules differ.

use core::fmt;

use super::attributes::{TABLE_OR_PAGE, VALID};
use crate::aarch64::granule::{Granule, PAGE_LEVEL};

/// The attributes of a leaf: bits 2 to 11 and 50 to 63.
pub(crate) const ATTRIBUTES: u64 = 0xfffc_0000_0000_0ffc;
/// The attributes of a table descriptor: those of a leaf without bit 50, which is reserved.
const TABLE_ATTRIBUTES: u64 = 0xfff8_0000_0000_0ffc;
/// nT, bit 16 of a block: software is changing the block (FEAT_BBM), and TLBs may not hold it.
const NT: u64 = 1 << 16;
/// Bits 9:8. With [LPA2](Granule::is_lpa2) they are bits 51:50 of the address, otherwise SH.
const HIGH_ADDRESS: u64 = 0b11 << 8;

/// Why bits are not a descriptor, or why a descriptor cannot be made.
///
/// ```
/// use lazy_mmu::aarch64::Granule;
/// use lazy_mmu::aarch64::descriptor::{BadDescriptor, KERNEL_DATA, Leaf};
///
/// // A block at level 2 maps 2 MiB.
/// let error = Leaf::new(Granule::Kib4, 2, 0x4000_1000, KERNEL_DATA).unwrap_err();
/// let (address, align) = (0x4000_1000, 0x20_0000);
/// assert_eq!(error, BadDescriptor::Unaligned { address, align });
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BadDescriptor {
    /// The output address is not a multiple of the bytes that the leaf maps, or of the table's
    /// size.
    Unaligned {
        /// The output address.
        address: u64,
        /// The required alignment, in bytes.
        align: u64,
    },
    /// The output address has more bits than the granule's descriptors hold: 48, or 52 with LPA2.
    TooLarge {
        /// The output address.
        address: u64,
    },
    /// The granule has no descriptors of this type at this level.
    NoSuchLevel {
        /// The level.
        level: u8,
    },
    /// A table descriptor was given for a leaf.
    IsTable {
        /// The descriptor.
        bits: u64,
    },
    /// A block or page descriptor was given for a table.
    IsLeaf {
        /// The descriptor.
        bits: u64,
    },
    /// Reserved bits are set, or attributes contain bits of the descriptor's type or address.
    Reserved {
        /// The offending bits.
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
            Self::TooLarge { address } => write!(
                f,
                "the output address {address:#x} has more bits than the granule's descriptors hold"
            ),
            Self::NoSuchLevel { level } => {
                write!(
                    f,
                    "the granule has no descriptors of this type at level {level}"
                )
            }
            Self::IsTable { bits } => write!(f, "{bits:#x} is a table descriptor, not a leaf"),
            Self::IsLeaf { bits } => write!(f, "{bits:#x} is a leaf, not a table descriptor"),
            Self::Reserved { bits } => {
                write!(f, "the bits {bits:#x} are reserved in this descriptor")
            }
        }
    }
}

/// Prints the text of `Display`, because descriptors are read in hexadecimal.
impl fmt::Debug for BadDescriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BadDescriptor({self})")
    }
}

impl core::error::Error for BadDescriptor {}

/// Returns a mask of the descriptor bits that hold an output address that is a multiple of `size`.
const fn address_field(granule: Granule, size: u64) -> u64 {
    if granule.is_lpa2() {
        ((1 << 50) - size) | HIGH_ADDRESS
    } else {
        (1 << 48) - size
    }
}

/// Returns `address` as the descriptor bits that hold it. It must be a multiple of `size`.
const fn encode(granule: Granule, address: u64, size: u64) -> Result<u64, BadDescriptor> {
    if address >> granule.address_bits() != 0 {
        Err(BadDescriptor::TooLarge { address })
    } else if address & (size - 1) != 0 {
        let align = size;
        Err(BadDescriptor::Unaligned { address, align })
    } else {
        let low = address & ((1 << 50) - 1);
        Ok(low | address >> 50 << 8)
    }
}

/// Returns the physical address in the descriptor `bits`.
pub(super) const fn address(granule: Granule, bits: u64) -> u64 {
    let field = bits & address_field(granule, granule.page_size());
    // The address field of a block contains nT, which is not a part of the address.
    let field = field & !(if bits & TABLE_OR_PAGE == 0 { NT } else { 0 });
    if granule.is_lpa2() {
        (field & !HIGH_ADDRESS) | (field & HIGH_ADDRESS) >> 8 << 50
    } else {
        field
    }
}

/// Returns the size in bytes, the type bits and the permitted attributes of a leaf at `level`.
const fn shape(granule: Granule, level: u8) -> Result<(u64, u64, u64), BadDescriptor> {
    let Some(size) = granule.entry_size(level) else {
        return Err(BadDescriptor::NoSuchLevel { level });
    };
    let attributes = ATTRIBUTES & !address_field(granule, size);
    if level == PAGE_LEVEL {
        Ok((size, TABLE_OR_PAGE | VALID, attributes))
    } else if granule.has_blocks(level) {
        Ok((size, VALID, attributes | NT))
    } else {
        Err(BadDescriptor::NoSuchLevel { level })
    }
}

const fn only(bits: u64, allowed: u64) -> Result<(), BadDescriptor> {
    match bits & !allowed {
        0 => Ok(()),
        bits => Err(BadDescriptor::Reserved { bits }),
    }
}

/// Returns a valid leaf that maps the bytes that one entry at `level` translates.
pub(super) const fn leaf(
    granule: Granule,
    level: u8,
    address: u64,
    attributes: u64,
) -> Result<u64, BadDescriptor> {
    let (size, kind, allowed) = match shape(granule, level) {
        Ok(shape) => shape,
        Err(error) => return Err(error),
    };
    if let Err(error) = only(attributes, allowed) {
        return Err(error);
    }
    match encode(granule, address, size) {
        Ok(address) => Ok(address | attributes | kind),
        Err(error) => Err(error),
    }
}

/// Returns `bits` if they are a leaf at `level`. An invalid entry is a leaf at every level of the
/// granule.
pub(super) const fn checked_leaf(
    granule: Granule,
    level: u8,
    bits: u64,
) -> Result<u64, BadDescriptor> {
    if granule.entry_size(level).is_none() {
        return Err(BadDescriptor::NoSuchLevel { level });
    }
    if bits & VALID == 0 {
        return Ok(bits);
    }
    if level == PAGE_LEVEL && bits & TABLE_OR_PAGE == 0 {
        // At level 3 a valid entry without bit 1 is reserved.
        return Err(BadDescriptor::Reserved { bits: VALID });
    }
    if level != PAGE_LEVEL && bits & TABLE_OR_PAGE != 0 {
        return Err(BadDescriptor::IsTable { bits });
    }
    let (size, kind, allowed) = match shape(granule, level) {
        Ok(shape) => shape,
        Err(error) => return Err(error),
    };
    match only(bits, allowed | kind | address_field(granule, size)) {
        Ok(()) => Ok(bits),
        Err(error) => Err(error),
    }
}

/// Returns the attributes that a table descriptor at `level` may have.
const fn table_attributes(granule: Granule, level: u8) -> Result<u64, BadDescriptor> {
    if level >= PAGE_LEVEL || granule.entry_size(level).is_none() {
        return Err(BadDescriptor::NoSuchLevel { level });
    }
    Ok(TABLE_ATTRIBUTES & !address_field(granule, granule.page_size()))
}

/// Returns a valid descriptor of a next-level table.
pub(super) const fn table(
    granule: Granule,
    level: u8,
    address: u64,
    attributes: u64,
) -> Result<u64, BadDescriptor> {
    let allowed = match table_attributes(granule, level) {
        Ok(allowed) => allowed,
        Err(error) => return Err(error),
    };
    if let Err(error) = only(attributes, allowed) {
        return Err(error);
    }
    match encode(granule, address, granule.page_size()) {
        Ok(address) => Ok(address | attributes | TABLE_OR_PAGE | VALID),
        Err(error) => Err(error),
    }
}

/// Returns `bits` if they are a table descriptor at `level`, or invalid.
pub(super) const fn checked_table(
    granule: Granule,
    level: u8,
    bits: u64,
) -> Result<u64, BadDescriptor> {
    let allowed = match table_attributes(granule, level) {
        Ok(allowed) => allowed,
        Err(error) => return Err(error),
    };
    if bits & VALID == 0 {
        return Ok(bits);
    }
    if bits & TABLE_OR_PAGE == 0 {
        return Err(BadDescriptor::IsLeaf { bits });
    }
    let address = address_field(granule, granule.page_size());
    match only(bits, allowed | address | TABLE_OR_PAGE | VALID) {
        Ok(()) => Ok(bits),
        Err(error) => Err(error),
    }
}
