//! Which stores need the barrier pair: the rule for each kind of translation table descriptor.
//!
//! Separate from the stores because the rules come from the architecture and from Linux's arm64
//! page-table code, while a store is made and deferred in the same way for all of them. This is not
//! a paging crate: a descriptor is its 64 bits, wrapped in the kind that says where in the tables
//! it stands. The constructors check the format; `Leaf(bits)` and its like take bits from elsewhere
//! unchecked.
//!
//! # Leaves
//!
//! A leaf needs the pair if a fault at its address cannot be handled. A fault at a user's address
//! can: the handler finds the valid entry and returns. So the rule depends on how a regime marks a
//! user's leaf:
//!
//! | regime | leaf | needs the pair iff |
//! |---|---|---|
//! | EL1&0, and EL2&0 (HCR_EL2.E2H is 1) | [`Leaf`] | VALID is set and USER is clear |
//! | the same, in a kernel that sets UXN on all its mappings | [`UxnLeaf`] | also, UXN is set |
//! | EL2 (HCR_EL2.E2H is 0) | [`El2Leaf`] | VALID is set |
//! | each | [`KernelLeaf`] | always: the caller asserts a valid kernel mapping |
//!
//! # Tables
//!
//! [`Table`] and [`TopLevel`] have the same rules in every regime. A walker that finds a table must
//! find it filled, so the store of a valid table descriptor first executes a barrier: it is ordered
//! after all earlier stores of its thread, in a section too ([`Descriptor::points_to_table`]).

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

/// A leaf of the EL1&0 or EL2&0 regime: a page descriptor (level 3) or a block descriptor (above).
///
/// It needs the pair iff [`VALID`] is set and [`USER`] is clear. An execute-only user leaf has USER
/// clear too, so it costs a pair that nobody needs; [`UxnLeaf`] is for kernels to which that
/// matters.
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
/// its text too.
///
/// It needs the pair iff [`VALID`] and [`UXN`] are set and [`USER`] is clear (Linux, arm64:
/// `pte_valid_not_user`). In such a kernel this tells an execute-only user leaf (USER and UXN
/// clear) from a kernel leaf. Linux is such a kernel; most others leave UXN clear in mappings of
/// text, and would lose the pair of these without a sign.
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

/// A leaf that the caller asserts is a valid kernel mapping: it always needs the pair, and its bits
/// are not read.
///
/// For a loop that maps kernel pages and nothing else. An invalid or a user's leaf in it costs a
/// pair that nobody needs, but loses nothing.
///
/// ```
/// use lazy_mmu::Descriptor;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, KernelLeaf};
///
/// assert!(KernelLeaf::page(0x4000_0000, KERNEL_DATA).needs_barrier());
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KernelLeaf(pub u64);

/// A leaf of a regime that has no unprivileged level: EL2 without FEAT_VHE.
///
/// It needs the pair iff it is [`VALID`]: every mapping is the kernel's.
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

/// A table descriptor at an intermediate level: the address of a next-level table.
///
/// It needs the pair iff it is [`VALID`], for user and for kernel addresses alike (Linux, arm64:
/// `set_pmd`, `set_pud`).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Table(pub u64);

/// An entry of the top-level table. It always needs the pair, also when cleared (Linux, arm64:
/// `set_pgd`, `set_p4d`).
///
/// (One that [`unmap_table`](crate::LazyMmu::unmap_table) takes away has the barriers of its
/// invalidation instead.)
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TopLevel(pub u64);

/// A leaf of some regime: its rule is its type's.
pub trait LeafDescriptor: Descriptor {
    /// These bits as such a leaf.
    fn leaf(bits: u64) -> Self;
}

/// `kind: whether its bits need the pair, whether they point to a table`
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

/// Whether VALID is set, and `set`, and not `clear`. The bits are moved to where VALID is: fewer
/// instructions than a comparison under a mask, whose constants no instruction holds.
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

/// What the kinds have in common, in terms of the functions of `format`.
macro_rules! constructors {
    ($($kind:ident: $make:ident, $check:ident, $what:literal, $address:literal;)*) => {$(
        impl $kind {
            /// The cleared entry.
            pub const INVALID: Self = Self(0);

            #[doc = $what]
            ///
            /// `address` is a physical address, in bytes. `attributes` are the bits 2 to 11 and 50
            /// to 63 of the descriptor, of a table 51 to 63; of a block also nT, bit 16; with
            /// [LPA2](Granule::Kib4Lpa2) not bits 9:8.
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

            /// Checks a descriptor from elsewhere. Bits with VALID clear are accepted by every
            /// kind.
            ///
            /// # Errors
            ///
            /// [`BadDescriptor`], if the bits are not a descriptor of this kind at `level`, or have
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

            /// Whether the entry is valid: the walk goes on, or ends in a mapping. An invalid entry
            /// faults.
            #[inline]
            pub const fn is_valid(self) -> bool {
                self.0 & VALID != 0
            }

            /// The physical address in a valid descriptor, in bytes.
            #[inline]
            pub const fn address(self, granule: Granule) -> u64 {
                address(granule, self.0)
            }
        }
    )*};
}

/// What the kinds of leaves have in common.
macro_rules! leaves {
    ($($kind:ident, $what:literal;)*) => {
        constructors! {$(
            $kind: leaf, checked_leaf, $what,
                "[`BadDescriptor::NoSuchLevel`], [`Unaligned`](BadDescriptor::Unaligned) to what the entry maps, [`TooLarge`](BadDescriptor::TooLarge);";
        )*}
        $(
            impl $kind {
                /// A valid page of the 4 KiB granule: a leaf at level 3.
                ///
                /// `address` is the physical address, in bytes; `attributes` are as for
                /// [`new`](Self::new), for example a set such as [`KERNEL_DATA`] with a
                /// [`memory_type`].
                ///
                /// # Panics
                ///
                /// If `address` is not a multiple of 4096, or has more than 48 bits, or if
                /// `attributes` has other bits.
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
        "a page's address is a multiple of 4096 with at most 48 bits, and its attributes are the bits 2 to 11 and 50 to 63"
    )
}

leaves! {
    Leaf, "A valid page (level 3) or block (above) of the EL1&0 or EL2&0 regime.";
    UxnLeaf, "A valid page (level 3) or block (above) of the EL1&0 or EL2&0 regime.";
    KernelLeaf, "A valid page (level 3) or block (above) for kernel addresses, of any regime.";
    El2Leaf, "A valid page (level 3) or block (above) of the EL2 regime.";
}

constructors! {
    Table: table, checked_table,
        "A valid table descriptor.",
        "[`BadDescriptor::NoSuchLevel`], [`Unaligned`](BadDescriptor::Unaligned) to a page, [`TooLarge`](BadDescriptor::TooLarge);";
    TopLevel: table, checked_table,
        "A valid table descriptor of the top-level table.",
        "[`BadDescriptor::NoSuchLevel`], [`Unaligned`](BadDescriptor::Unaligned) to a page, [`TooLarge`](BadDescriptor::TooLarge);";
}

/// A table descriptor of the 4 KiB granule.
macro_rules! tables {
    ($($kind:ident, $doc:literal;)*) => {$(
        impl $kind {
            #[doc = $doc]
            ///
            /// # Panics
            ///
            /// If `address` is not a multiple of 4096, or has more than 48 bits.
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
    panic!("a table's address is a multiple of 4096 with at most 48 bits")
}

tables! {
    Table, "A valid descriptor of the table at the physical address `address`, in bytes, of the 4 KiB granule.";
    TopLevel, "A valid top-level descriptor of the table at the physical address `address`, in bytes, of the 4 KiB granule.";
}
