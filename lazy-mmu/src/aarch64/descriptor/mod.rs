//! The types of translation table descriptors. Each type has its rule about the barrier pair.
//!
//! The *barrier pair* is `dsb ishst; isb`. It makes the store of a descriptor visible to the
//! walkers and to the later instructions of this CPU. Some stores do not need the pair, because a
//! fault handler finds the new entry and returns. The rules come from the architecture and from
//! Linux's arm64 page-table code.
//!
//! A descriptor is its 64 bits, wrapped in the type that says where in the tables it belongs. The
//! constructors check the format. `Leaf(bits)` wraps bits from elsewhere without a check.
//!
//! ```
//! use lazy_mmu::aarch64::Granule;
//! use lazy_mmu::aarch64::descriptor::{BadDescriptor, KERNEL_DATA, Leaf, Table, memory_type};
//!
//! /// Data in normal memory, if MAIR_EL1 has its attributes in byte 1.
//! const NORMAL: u64 = KERNEL_DATA | memory_type(1);
//!
//! let page = Leaf::page(0x4000_0000, NORMAL);
//! let block = Leaf::new(Granule::Kib4, 2, 0x4000_0000, NORMAL)?;
//! let table = Table::at(0x4800_0000);
//! assert_eq!(block.address(Granule::Kib4), 0x4000_0000);
//!
//! // Bits from elsewhere are checked for the level at which they are found.
//! assert_eq!(Leaf::from_bits(Granule::Kib4, 2, block.0), Ok(block));
//! let error = BadDescriptor::IsTable { bits: table.0 };
//! assert_eq!(Leaf::from_bits(Granule::Kib4, 2, table.0), Err(error));
//! # assert_eq!((page.0, block.0), (0x0060_0000_4000_0707, 0x0060_0000_4000_0705));
//! # Ok::<(), BadDescriptor>(())
//! ```
//!
//! The module is separate from the stores, because the same stores serve all of these types. It
//! does not walk or allocate tables, because this is not a paging crate.
//!
//! # Attributes
//!
//! A mapping works if its entry is valid, has the type that its level demands, and has the access
//! flag set. The constructors make the entry valid and give it the type. The sets [`KERNEL_DATA`],
//! [`USER_TEXT`] and so on have the access flag, and say who may read, write and execute.
//! [`memory_type`] adds the kind of memory, because each kernel numbers its memory types itself.
//!
//! With LPA2, TCR_ELx has the shareability and the descriptor does not. Take [`INNER_SHAREABLE`]
//! out of a set then: `KERNEL_DATA & !INNER_SHAREABLE`.
//!
//! A kernel changes the sets by the names of the bits:
//!
//! ```
//! use lazy_mmu::aarch64::descriptor::{
//!     ACCESSED, CONTIGUOUS, DBM, KERNEL_DATA, KERNEL_TEXT, Leaf, PXN, READ_ONLY, USER_DATA, UXN,
//!     VALID, memory_type,
//! };
//!
//! /// Code that EL0 may only execute, and EL1 may not.
//! const EXECUTE_ONLY: u64 = KERNEL_TEXT & !UXN | PXN;
//! /// A user's data that the hardware marks as accessed and as dirty (FEAT_HAFDBS).
//! const MANAGED_BY_HARDWARE: u64 = USER_DATA & !ACCESSED | READ_ONLY | DBM;
//! /// One of 16 pages of kernel data that a TLB may hold in one entry.
//! const IN_A_GROUP: u64 = KERNEL_DATA | CONTIGUOUS | memory_type(1);
//!
//! for attributes in [EXECUTE_ONLY, MANAGED_BY_HARDWARE, IN_A_GROUP] {
//!     let page = Leaf::page(0x4000_0000, attributes);
//!     assert!(page.is_valid() && page.0 & VALID != 0);
//! }
//! ```
//!
//! # Leaves
//!
//! A leaf needs the pair if a fault at its address cannot be handled. A fault at a user's address
//! can be handled: the handler finds the valid entry and returns. The rule depends on how a regime
//! marks a user's leaf:
//!
//! | regime | leaf | needs the pair if and only if |
//! |---|---|---|
//! | EL1&0, and EL2&0 (HCR_EL2.E2H is 1) | [`Leaf`] | VALID is set, USER is clear |
//! | the same, if all kernel pages have UXN | [`UxnLeaf`] | VALID and UXN are set, USER is clear |
//! | EL2 (HCR_EL2.E2H is 0) | [`El2Leaf`] | VALID is set |
//! | every regime | [`KernelLeaf`] | always: the caller asserts a valid kernel mapping |
//!
//! # Tables
//!
//! [`Table`] and [`TopLevel`] have the same rules in every regime. A walker that finds a table must
//! find it filled. The store of a valid table descriptor therefore executes a `dsb ishst` first,
//! even in a section. The barrier orders the store after all earlier stores of its thread
//! ([`Descriptor::points_to_table`]).

mod attributes;
mod format;

use core::fmt;

pub use attributes::{
    ACCESSED, CONTIGUOUS, DBM, EL2_DATA, EL2_TEXT, INNER_SHAREABLE, KERNEL_DATA, KERNEL_READ_ONLY,
    KERNEL_TEXT, NON_GLOBAL, OUTER_SHAREABLE, PXN, READ_ONLY, TABLE_OR_PAGE, USER, USER_DATA,
    USER_READ_ONLY, USER_TEXT, UXN, VALID, memory_type,
};
pub(crate) use format::ATTRIBUTES;
pub use format::BadDescriptor;

use super::granule::{Granule, PAGE_LEVEL};
use crate::section::descriptor::Descriptor;
use format::{address, checked_leaf, checked_table, leaf, table};

/// A leaf of the EL1&0 or EL2&0 regime: a page descriptor at level 3, or a block descriptor above.
///
/// A leaf needs the pair if and only if [`VALID`] is set and [`USER`] is clear. An execute-only
/// user leaf has USER clear too. Its store therefore executes a pair that it does not need.
/// [`UxnLeaf`] is for kernels that want to avoid this.
///
/// ```
/// use lazy_mmu::Descriptor;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, KERNEL_TEXT, Leaf, USER_DATA};
///
/// assert!(Leaf::page(0x4000_0000, KERNEL_DATA).needs_barrier());
/// assert!(Leaf::page(0x4000_0000, KERNEL_TEXT).needs_barrier());
/// assert!(!Leaf::page(0x4000_0000, USER_DATA).needs_barrier());
/// assert!(!Leaf::INVALID.needs_barrier());
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Leaf(pub u64);

/// A leaf of the EL1&0 or EL2&0 regime, in a kernel that sets [`UXN`] on **every** kernel mapping,
/// also on its text.
///
/// A leaf needs the pair if and only if [`VALID`] and [`UXN`] are set and [`USER`] is clear (Linux,
/// arm64: `pte_valid_not_user`). The rule distinguishes an execute-only user leaf (USER and UXN
/// clear) from a kernel leaf. Linux sets UXN on every kernel mapping. Most other kernels leave UXN
/// clear in mappings of text. With this type they would lose the pair of these mappings silently.
///
/// ```
/// use lazy_mmu::Descriptor;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_TEXT, PXN, UxnLeaf, UXN};
///
/// assert!(UxnLeaf::page(0x4000_0000, KERNEL_TEXT).needs_barrier());
/// let execute_only = KERNEL_TEXT & !UXN | PXN;
/// assert!(!UxnLeaf::page(0x4000_0000, execute_only).needs_barrier());
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct UxnLeaf(pub u64);

/// A leaf that the caller asserts is a valid kernel mapping. It always needs the pair, and the rule
/// does not read its bits.
///
/// It is for loops that map only kernel pages. An invalid leaf or a user's leaf costs a pair that
/// it does not need, but loses nothing.
///
/// ```
/// use lazy_mmu::Descriptor;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, KernelLeaf};
///
/// assert!(KernelLeaf::page(0x4000_0000, KERNEL_DATA).needs_barrier());
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KernelLeaf(pub u64);

/// A leaf of a regime without an unprivileged level: EL2 without FEAT_VHE.
///
/// A leaf needs the pair if and only if it is [`VALID`], because every mapping is the kernel's.
///
/// ```
/// use lazy_mmu::Descriptor;
/// use lazy_mmu::aarch64::descriptor::{EL2_DATA, El2Leaf, Leaf};
///
/// let page = El2Leaf::page(0x4000_0000, EL2_DATA);
/// assert!(page.needs_barrier());
/// // AP[1], which is USER in the EL1&0 regime, is RES1 at EL2.
/// assert!(!Leaf(page.0).needs_barrier());
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct El2Leaf(pub u64);

/// A table descriptor at an intermediate level. It has the address of a next-level table.
///
/// It needs the pair if and only if it is [`VALID`], for user and kernel addresses alike (Linux,
/// arm64: `set_pmd`, `set_pud`).
///
/// ```
/// use lazy_mmu::Descriptor;
/// use lazy_mmu::aarch64::descriptor::Table;
///
/// let table = Table::at(0x4800_0000);
/// assert!(table.needs_barrier() && table.points_to_table());
/// assert!(!Table::INVALID.needs_barrier());
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Table(pub u64);

/// An entry of the top-level table. It always needs the pair, also when it is cleared (Linux,
/// arm64: `set_pgd`, `set_p4d`).
///
/// [`unmap_table`](crate::LazyMmu::unmap_table) does not execute the pair for such an entry,
/// because its TLB invalidation has the same effect.
///
/// ```
/// use lazy_mmu::Descriptor;
/// use lazy_mmu::aarch64::descriptor::TopLevel;
///
/// assert!(TopLevel::at(0x4800_0000).needs_barrier());
/// assert!(TopLevel::INVALID.needs_barrier());
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TopLevel(pub u64);

/// A leaf of any regime. The type decides about the barrier pair.
///
/// The trait is for functions that work in each regime:
///
/// ```
/// use lazy_mmu::aarch64::descriptor::{
///     EL2_DATA, El2Leaf, KERNEL_DATA, KERNEL_READ_ONLY, Leaf, LeafDescriptor, READ_ONLY,
/// };
///
/// /// Returns the leaf without the right to write.
/// fn read_only<D: LeafDescriptor>(leaf: D) -> D {
///     D::leaf(leaf.bits() | READ_ONLY)
/// }
///
/// let kernel = read_only(Leaf::page(0x4000_0000, KERNEL_DATA));
/// assert_eq!(kernel, Leaf::page(0x4000_0000, KERNEL_READ_ONLY));
/// let hypervisor = read_only(El2Leaf::page(0x4000_0000, EL2_DATA));
/// assert_eq!(hypervisor, El2Leaf::page(0x4000_0000, EL2_DATA | READ_ONLY));
/// ```
pub trait LeafDescriptor: Descriptor {
    /// Wraps the bits in this type.
    fn leaf(bits: u64) -> Self;
}

/// `type: whether its bits need the pair, whether they point to a table`
macro_rules! rules {
    ($($kind:ident: $needs_barrier:expr, $points_to_table:expr;)*) => {$(
        impl Descriptor for $kind {
            #[inline]
            fn bits(self) -> u64 {
                self.0
            }

            #[inline]
            fn needs_barrier(self) -> bool {
                let rule: fn(u64) -> bool = $needs_barrier;
                rule(self.0)
            }

            #[inline]
            fn points_to_table(self) -> bool {
                let rule: fn(u64) -> bool = $points_to_table;
                rule(self.0)
            }
        }

        impl fmt::Debug for $kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($kind), "({:#x})"), self.0)
            }
        }
    )*};
}

/// Whether VALID and `set` are set and `clear` is clear. The function shifts the bits to the place
/// of VALID, because a comparison under a mask needs constants that do not fit into an instruction.
#[inline(always)]
#[expect(clippy::inline_always, reason = "two instructions or three")]
fn valid_with(bits: u64, set: u64, clear: u64) -> bool {
    bits & bits >> set.trailing_zeros() & !(bits >> clear.trailing_zeros()) & VALID != 0
}

rules! {
    Leaf: |bits| valid_with(bits, VALID, USER), |_| false;
    UxnLeaf: |bits| valid_with(bits, UXN, USER), |_| false;
    KernelLeaf: |_| true, |_| false;
    El2Leaf: |bits| bits & VALID != 0, |_| false;
    Table: |bits| bits & VALID != 0, |bits| bits & VALID != 0;
    TopLevel: |_| true, |bits| bits & VALID != 0;
}

/// The functions that all descriptor types have in common, in terms of the functions of `format`.
macro_rules! constructors {
    (
        $attributes:literal, $unaligned:literal;
        $($kind:ident: $make:ident, $check:ident, $what:literal;)*
    ) => {$(
        impl $kind {
            /// The cleared entry.
            pub const INVALID: Self = Self(0);

            #[doc = $what]
            ///
            /// `address` is the physical address, in bytes.
            #[doc = $attributes]
            /// With [LPA2](Granule::Kib4Lpa2) bits 9:8 are not attributes.
            ///
            /// The page of the [module](self) shows an example.
            ///
            /// # Errors
            ///
            /// * [`BadDescriptor::NoSuchLevel`] if the granule has no descriptors of this type at
            ///   `level`.
            #[doc = $unaligned]
            /// * [`BadDescriptor::TooLarge`] if `address` has more bits than the granule's
            ///   descriptors hold.
            /// * [`BadDescriptor::Reserved`] if `attributes` contain other bits.
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

            /// Checks and wraps a descriptor from elsewhere. Every type accepts bits with VALID
            /// clear.
            ///
            /// The page of the [module](self) shows an example.
            ///
            /// # Errors
            ///
            /// [`BadDescriptor`] if the bits are not a descriptor of this type at `level`, or have
            /// reserved bits set.
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

            /// Whether the entry is valid. A valid entry maps memory or leads to a table; an access
            /// through an invalid one faults.
            #[inline]
            pub const fn is_valid(self) -> bool {
                self.0 & VALID != 0
            }

            /// Returns the physical address in a valid descriptor, in bytes.
            ///
            /// The page of the [module](self) shows an example.
            #[inline]
            pub const fn address(self, granule: Granule) -> u64 {
                address(granule, self.0)
            }
        }
    )*};
}

/// The functions that all leaves have in common.
macro_rules! leaves {
    ($($kind:ident, $what:literal;)*) => {
        constructors! {
            "`attributes` are bits 2 to 11 and 50 to 63, and nT (bit 16) of a block.",
            "* [`BadDescriptor::Unaligned`] if `address` is not a multiple of the leaf's size.";
            $($kind: leaf, checked_leaf, $what;)*
        }
        $(
            impl $kind {
                /// Makes a valid page of the 4 KiB granule: a leaf at level 3.
                ///
                /// `address` is the physical address, in bytes. `attributes` are as for
                /// [`new`](Self::new), for example [`KERNEL_DATA`] with a [`memory_type`].
                ///
                /// # Panics
                ///
                /// If `address` is not a multiple of 4096 or has more than 48 bits, or if
                /// `attributes` contain other bits.
                #[inline]
                pub const fn page(address: u64, attributes: u64) -> Self {
                    match leaf(Granule::Kib4, PAGE_LEVEL, address, attributes) {
                        Ok(bits) => Self(bits),
                        Err(_) => bad_page(),
                    }
                }
            }

            impl LeafDescriptor for $kind {
                #[inline]
                fn leaf(bits: u64) -> Self {
                    Self(bits)
                }
            }
        )*
    };
}

#[cold]
#[inline(never)]
#[track_caller]
const fn bad_page() -> ! {
    panic!(
        "the address of a page must be a multiple of 4096 with at most 48 bits, and its attributes \
         must be in bits 2 to 11 and 50 to 63"
    )
}

leaves! {
    Leaf, "Makes a valid page (level 3) or block (above) of the EL1&0 or EL2&0 regime.";
    UxnLeaf, "Makes a valid page (level 3) or block (above) of the EL1&0 or EL2&0 regime.";
    KernelLeaf, "Makes a valid page (level 3) or block (above) of any regime, at a kernel address.";
    El2Leaf, "Makes a valid page (level 3) or block (above) of the EL2 regime.";
}

constructors! {
    "`attributes` are bits 2 to 11 and 51 to 63.",
    "* [`BadDescriptor::Unaligned`] if `address` is not a multiple of the page size.";
    Table: table, checked_table, "Makes a valid table descriptor.";
    TopLevel: table, checked_table, "Makes a valid table descriptor of the top-level table.";
}

/// The constructors of table descriptors of the 4 KiB granule.
macro_rules! tables {
    ($($kind:ident, $doc:literal;)*) => {$(
        impl $kind {
            #[doc = $doc]
            ///
            /// `address` is the physical address, in bytes.
            ///
            /// # Panics
            ///
            /// If `address` is not a multiple of 4096 or has more than 48 bits.
            #[inline]
            pub const fn at(address: u64) -> Self {
                match table(Granule::Kib4, 2, address, 0) {
                    Ok(bits) => Self(bits),
                    Err(_) => bad_table(),
                }
            }
        }
    )*};
}

#[cold]
#[inline(never)]
#[track_caller]
const fn bad_table() -> ! {
    panic!("the address of a table must be a multiple of 4096 with at most 48 bits")
}

tables! {
    Table, "Makes a valid descriptor of the table at `address` (4 KiB granule).";
    TopLevel, "Makes a valid top-level descriptor of the table at `address` (4 KiB granule).";
}
