//! The fields of a descriptor, checked: which bits a leaf or a table descriptor may have at a
//! level, and where its address is (Arm ARM DDI 0487, "Translation table descriptor formats").
//!
//! Separate from the kinds because the format is the same for all of them, while their rules
//! differ.

use core::fmt;

use super::attributes::{TABLE_OR_PAGE, VALID};
use crate::aarch64::granule::{Granule, PAGE_LEVEL};

/// The attributes of a leaf: bits 2 to 11 and 50 to 63.
pub(crate) const ATTRIBUTES: u64 = 0xfffc_0000_0000_0ffc;
/// The attributes of a table descriptor, whose bit 50 is reserved.
const TABLE_ATTRIBUTES: u64 = 0xfff8_0000_0000_0ffc;
/// nT, bit 16 of a block: the block is being changed with FEAT_BBM, and TLBs may not hold it.
const NT: u64 = 1 << 16;
/// Bits 9:8. With [LPA2](Granule::is_lpa2) they are bits 51:50 of the address, else they are SH.
const HIGH_ADDRESS: u64 = 0b11 << 8;

/// What is wrong with the bits of a descriptor, or with what it should be made of.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BadDescriptor {
    /// The output address is not a multiple of what the descriptor maps, or of the table's size.
    Unaligned {
        /// The address.
        address: u64,
        /// What it must be a multiple of, in bytes.
        align: u64,
    },
    /// The output address has more bits than the granule's descriptors hold: 48, with LPA2 52.
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
            Self::TooLarge { address } => write!(
                f,
                "the output address {address:#x} has more bits than the granule's descriptors hold"
            ),
            Self::NoSuchLevel { level } => {
                write!(
                    f,
                    "level {level} has no descriptors of this kind with this granule"
                )
            }
            Self::IsTable { bits } => write!(f, "{bits:#x} is a table descriptor, not a leaf"),
            Self::IsLeaf { bits } => write!(f, "{bits:#x} is a leaf, not a table descriptor"),
            Self::Reserved { bits } => write!(f, "the bits {bits:#x} are reserved there"),
        }
    }
}

/// As `Display`, because descriptors are read in hexadecimal.
impl fmt::Debug for BadDescriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BadDescriptor({self})")
    }
}

impl core::error::Error for BadDescriptor {}

/// The bits of a descriptor that hold an output address that is a multiple of `size`.
const fn address_field(granule: Granule, size: u64) -> u64 {
    if granule.is_lpa2() {
        ((1 << 50) - size) | HIGH_ADDRESS
    } else {
        (1 << 48) - size
    }
}

/// `address` in the descriptor's field for addresses that are multiples of `size`.
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

/// The physical address in the descriptor `bits`.
pub(super) const fn address(granule: Granule, bits: u64) -> u64 {
    let field = bits & address_field(granule, granule.page_size());
    // nT is inside the address field of a block, but is not a part of the address.
    let field = field & !(if bits & TABLE_OR_PAGE == 0 { NT } else { 0 });
    if granule.is_lpa2() {
        (field & !HIGH_ADDRESS) | (field & HIGH_ADDRESS) >> 8 << 50
    } else {
        field
    }
}

/// What a leaf at `level` is: the bytes that it maps, its type bits, and the attributes that it may
/// have.
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

/// The bits of a leaf that maps what an entry at `level` translates.
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

/// `bits`, if they are a leaf at `level`; an invalid entry is a leaf at every level of the granule.
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
        // Valid without bit 1 is reserved at level 3.
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

/// The attributes that a table descriptor may have, if there are table descriptors at `level`.
const fn table_attributes(granule: Granule, level: u8) -> Result<u64, BadDescriptor> {
    if level >= PAGE_LEVEL || granule.entry_size(level).is_none() {
        return Err(BadDescriptor::NoSuchLevel { level });
    }
    Ok(TABLE_ATTRIBUTES & !address_field(granule, granule.page_size()))
}

/// The bits of a descriptor that points to a next-level table.
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

/// `bits`, if they are a table descriptor at `level`, or invalid.
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
