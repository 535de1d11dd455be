//! Which stores need the barrier pair: the rule for each kind of translation table descriptor.
//!
//! Separate from the stores because the rules come from the architecture and from Linux's arm64 page-table code, while
//! how a store is made and deferred is the same for all of them. This is not a paging crate: a descriptor is its 64
//! bits, made by whomever, wrapped in the kind that says where in the tables it stands.

/// A 64-bit translation table descriptor that knows whether making it visible needs the pair `dsb ishst; isb`.
///
/// The decision looks at the new value only: what stood in the entry before does not matter, valid to valid counts.
/// The reason: without the `dsb` the walk may still find the old entry, and without the `isb` an instruction
/// that was fetched early may have taken the fault already. A kernel cannot handle such a fault at a kernel address,
/// so entries for kernel addresses need the pair; for user addresses the fault is spurious, and the handler returns.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say whether its store needs the barrier pair",
    label = "no `Descriptor`",
    note = "wrap the 64 bits in the kind of entry that they are: `Leaf(bits)`, `Table(bits)` or `TopLevel(bits)`"
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

/// A leaf of the EL1&0 regime: a page descriptor (level 3) or a block descriptor (levels 1 and 2).
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

impl Leaf {
    /// The cleared entry.
    pub const INVALID: Self = Self(0);
}

impl Descriptor for Leaf {
    #[inline]
    fn bits(self) -> u64 {
        self.0
    }

    #[inline]
    fn needs_barrier(self) -> bool {
        self.0 & (VALID | USER | UXN) == VALID | UXN
    }
}

/// A table descriptor at an intermediate level: the address of a next-level table.
///
/// It needs the pair iff it is [`VALID`], for user and for kernel addresses alike (Linux, arm64: `set_pmd`, `set_pud`).
/// The next-level table must have been filled, and that ordered before this store, by whoever makes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Table(pub u64);

impl Table {
    /// The cleared entry.
    pub const INVALID: Self = Self(0);
}

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
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TopLevel(pub u64);

impl TopLevel {
    /// The cleared entry.
    pub const INVALID: Self = Self(0);
}

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
