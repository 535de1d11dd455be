//! The trait of descriptors, with the facts that a store needs.
//!
//! The types of descriptors belong to the architecture: `aarch64::descriptor` and
//! `riscv64::descriptor`.

/// A 64-bit page-table entry that knows whether its store needs the barrier pair.
///
/// The pair is `dsb ishst; isb` on aarch64. Without the `dsb`, a walk may still find the old entry.
/// Without the `isb`, an instruction that was fetched early may already have taken the fault. On
/// RISC-V, the pair is a fence, because a hart may keep an entry that was invalid.
///
/// The decision depends on the new value only. A store over a valid entry needs the pair too.
///
/// ```
/// use lazy_mmu::Descriptor;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf, Table, USER_DATA};
///
/// assert!(Leaf::page(0x4000_0000, KERNEL_DATA).needs_barrier());
/// // A fault at a user address is harmless: its handler finds the valid entry, and retries. On
/// // RISC-V the handler executes a fence before that.
/// assert!(!Leaf::page(0x4000_0000, USER_DATA).needs_barrier());
/// assert!(Table::at(0x4800_0000).points_to_table());
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a page-table descriptor",
    label = "expected a type that implements `Descriptor`",
    note = "make a descriptor with `Leaf::page(address, attributes)`, `Table::at(address)` or \
            `TopLevel::at(address)`; at EL2 without FEAT_VHE, a leaf is `El2Leaf::page`",
    note = "wrap existing bits in the type of their level, for example `Leaf(bits)`"
)]
pub trait Descriptor: Copy {
    /// Returns the 64 bits that are stored.
    fn bits(self) -> u64;

    /// Returns whether the store must be followed by the pair before the mapping is used.
    fn needs_barrier(self) -> bool;

    /// Returns whether a walker that finds this descriptor goes on to a next-level table.
    ///
    /// The store of such a descriptor is ordered after the earlier stores of its thread, because
    /// they have filled the table. The barrier for that is
    /// [`Machine::table_barrier`](crate::Machine::table_barrier), on aarch64 `dsb ishst`, and on
    /// RISC-V `fence w, w`.
    ///
    /// The manual calls a walk "a separate observer", and promises that a walk observes a store
    /// only after a `dsb` (Arm ARM DDI 0487, rules R_TGRMW and R_SPVBD). It does not mention
    /// `dmb ishst` and `stlr`. Linux relies on a `dmb` for user tables (`pmd_install`), because a
    /// walk reads the child through the parent. For kernel tables Linux has `dsb ishst`
    /// (`init_clear_pgtable`), and this crate executes the `dsb` for all tables.
    fn points_to_table(self) -> bool;
}
