//! Checks the fields of a descriptor: which bits a leaf or an entry that points to a table may have
//! at a level, and where its address is.
//!
//! The file is separate from the descriptor types, because they share the format, while their
//! barrier rules differ. The source is the RISC-V privileged specification, "Sv39: Page-Based
//! 39-bit Virtual-Memory System". Sv48 and Sv57 have the same format.

use core::fmt;

use super::attributes::{
    ACCESSED, DIRTY, EXECUTE, GLOBAL, IO, NON_CACHEABLE, READ, SOFTWARE, USER, VALID, WRITE,
};
use crate::riscv64::mode::{Mode, PAGE_SHIFT};

/// R, W and X, which are clear in an entry that points to a table.
const PERMISSIONS: u64 = READ | WRITE | EXECUTE;
/// The attributes of a leaf. Bits 60:54 are reserved, and bit 63 is that of Svnapot.
const ATTRIBUTES: u64 =
    PERMISSIONS | USER | GLOBAL | ACCESSED | DIRTY | SOFTWARE | NON_CACHEABLE | IO;
/// The attributes of an entry that points to a table. D, A and U are reserved there, and so are the
/// fields of Svpbmt and Svnapot.
const TABLE_ATTRIBUTES: u64 = GLOBAL | SOFTWARE;
/// PPN, bits 53:10: the page number of the physical address.
const PAGE_NUMBER: u64 = ((1 << 44) - 1) << PAGE_NUMBER_SHIFT;
const PAGE_NUMBER_SHIFT: u32 = 10;
/// The width of a physical address, in bits.
const ADDRESS_BITS: u32 = 56;

/// Why bits are not a descriptor, or why a descriptor cannot be made.
///
/// ```
/// use lazy_mmu::riscv64::Mode;
/// use lazy_mmu::riscv64::descriptor::{BadDescriptor, KERNEL_DATA, Leaf, WRITE};
///
/// // A leaf at level 1 maps 2 MiB.
/// let error = Leaf::new(Mode::Sv39, 1, 0x8000_1000, KERNEL_DATA).unwrap_err();
/// let (address, align) = (0x8000_1000, 0x20_0000);
/// assert_eq!(error, BadDescriptor::Unaligned { address, align });
///
/// let error = Leaf::new(Mode::Sv39, 0, 0x8000_1000, WRITE).unwrap_err();
/// assert_eq!(error.to_string(), "the attributes 0x4 permit writes without reads");
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BadDescriptor {
    /// The physical address is not a multiple of the bytes that the leaf maps, or of the size of a
    /// table. The hardware faults at a leaf like this.
    Unaligned {
        /// The physical address.
        address: u64,
        /// The required alignment, in bytes.
        align: u64,
    },
    /// The physical address has more than 56 bits.
    TooLarge {
        /// The physical address.
        address: u64,
    },
    /// The mode has no descriptors of this type at this level.
    NoSuchLevel {
        /// The level.
        level: u8,
    },
    /// An entry that points to a table was given for a leaf, or attributes without any permission.
    IsTable {
        /// The descriptor or the attributes.
        bits: u64,
    },
    /// A leaf was given for an entry that points to a table.
    IsLeaf {
        /// The descriptor.
        bits: u64,
    },
    /// W is set and R is clear, which is a reserved encoding.
    WriteOnly {
        /// The descriptor or the attributes.
        bits: u64,
    },
    /// Reserved bits are set, or attributes contain bits of the address or V. The bits of Svnapot,
    /// of Svrsw60t59b and PBMT = 3 are among the reserved ones.
    Reserved {
        /// The offending bits.
        bits: u64,
    },
}

impl fmt::Display for BadDescriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unaligned { address, align } => write!(
                f,
                "the physical address {address:#x} is not a multiple of {align:#x}"
            ),
            Self::TooLarge { address } => {
                write!(f, "the physical address {address:#x} has more than 56 bits")
            }
            Self::NoSuchLevel { level } => {
                write!(
                    f,
                    "the mode has no descriptors of this type at level {level}"
                )
            }
            Self::IsTable { bits } => write!(
                f,
                "{bits:#x} permits no access: it is an entry that points to a table, not a leaf"
            ),
            Self::IsLeaf { bits } => {
                write!(
                    f,
                    "{bits:#x} is a leaf, not an entry that points to a table"
                )
            }
            Self::WriteOnly { bits } => {
                write!(f, "the attributes {bits:#x} permit writes without reads")
            }
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

/// Whether a valid entry with these bits points to a table.
#[inline]
pub(crate) const fn is_table(bits: u64) -> bool {
    bits & (VALID | PERMISSIONS) == VALID
}

/// Returns the physical address in the descriptor `bits`.
#[inline]
pub(super) const fn address(bits: u64) -> u64 {
    (bits & PAGE_NUMBER) >> PAGE_NUMBER_SHIFT << PAGE_SHIFT
}

/// Returns `address` as the descriptor bits that hold it. It must be a multiple of `size`.
const fn encode(address: u64, size: u64) -> Result<u64, BadDescriptor> {
    if address >> ADDRESS_BITS != 0 {
        Err(BadDescriptor::TooLarge { address })
    } else if address & (size - 1) != 0 {
        let align = size;
        Err(BadDescriptor::Unaligned { address, align })
    } else {
        Ok(address >> PAGE_SHIFT << PAGE_NUMBER_SHIFT)
    }
}

const fn only(bits: u64, allowed: u64) -> Result<(), BadDescriptor> {
    match bits & !allowed {
        0 => Ok(()),
        bits => Err(BadDescriptor::Reserved { bits }),
    }
}

/// Checks the attributes of a leaf, which are among bits that are not its address.
const fn check_attributes(bits: u64) -> Result<(), BadDescriptor> {
    if bits & PERMISSIONS == 0 {
        Err(BadDescriptor::IsTable { bits })
    } else if bits & (READ | WRITE) == WRITE {
        Err(BadDescriptor::WriteOnly { bits })
    } else if bits & (NON_CACHEABLE | IO) == NON_CACHEABLE | IO {
        let bits = NON_CACHEABLE | IO;
        Err(BadDescriptor::Reserved { bits })
    } else {
        Ok(())
    }
}

/// Returns a valid leaf that maps the bytes that one entry at `level` translates.
pub(super) const fn leaf(
    mode: Mode,
    level: u8,
    address: u64,
    attributes: u64,
) -> Result<u64, BadDescriptor> {
    let Some(size) = mode.entry_size(level) else {
        return Err(BadDescriptor::NoSuchLevel { level });
    };
    if let Err(error) = only(attributes, ATTRIBUTES) {
        return Err(error);
    }
    if let Err(error) = check_attributes(attributes) {
        return Err(error);
    }
    match encode(address, size) {
        Ok(address) => Ok(address | attributes | VALID),
        Err(error) => Err(error),
    }
}

/// Returns `bits` if they are a leaf at `level`. An invalid entry is a leaf at every level of the
/// mode.
pub(super) const fn checked_leaf(mode: Mode, level: u8, bits: u64) -> Result<u64, BadDescriptor> {
    if mode.entry_size(level).is_none() {
        return Err(BadDescriptor::NoSuchLevel { level });
    }
    if bits & VALID == 0 {
        return Ok(bits);
    }
    match leaf(mode, level, address(bits), bits & !(PAGE_NUMBER | VALID)) {
        // The error names the descriptor, not its attributes.
        Err(BadDescriptor::IsTable { .. }) => Err(BadDescriptor::IsTable { bits }),
        Err(BadDescriptor::WriteOnly { .. }) => Err(BadDescriptor::WriteOnly { bits }),
        checked => checked,
    }
}

/// Returns a valid entry that points to a next-level table.
pub(super) const fn table(
    mode: Mode,
    level: u8,
    address: u64,
    attributes: u64,
) -> Result<u64, BadDescriptor> {
    if level == 0 || mode.entry_size(level).is_none() {
        return Err(BadDescriptor::NoSuchLevel { level });
    }
    if let Err(error) = only(attributes, TABLE_ATTRIBUTES) {
        return Err(error);
    }
    match encode(address, 1 << PAGE_SHIFT) {
        Ok(address) => Ok(address | attributes | VALID),
        Err(error) => Err(error),
    }
}

/// Returns `bits` if they are an entry that points to a table at `level`, or invalid.
pub(super) const fn checked_table(mode: Mode, level: u8, bits: u64) -> Result<u64, BadDescriptor> {
    if level == 0 || mode.entry_size(level).is_none() {
        return Err(BadDescriptor::NoSuchLevel { level });
    }
    if bits & VALID == 0 {
        return Ok(bits);
    }
    if bits & PERMISSIONS != 0 {
        return Err(BadDescriptor::IsLeaf { bits });
    }
    table(mode, level, address(bits), bits & !(PAGE_NUMBER | VALID))
}
