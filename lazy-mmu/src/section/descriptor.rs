//! What a store must know of the descriptor that it stores.
//!
//! The descriptors themselves are the architecture's.

/// A 64-bit page-table entry that knows whether its store needs the barrier pair.
///
/// The decision looks at the new value only: the entry's old value does not matter, valid to valid
/// counts. Without the `dsb` a walk may still find the old entry. Without the `isb` an instruction
/// that was fetched early may already have taken the fault.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say whether its store needs the barrier pair",
    label = "no `Descriptor`",
    note = "make the kind of entry that it is: `Leaf::page(address, attributes)` (at EL2 without FEAT_VHE `El2Leaf::page`), `Table::at(address)` or `TopLevel::at(address)`; bits from elsewhere are wrapped, as `Leaf(bits)`"
)]
pub trait Descriptor: Copy {
    /// The 64 bits that are stored.
    fn bits(self) -> u64;

    /// Whether the store must be followed by the pair before the mapping is used.
    fn needs_barrier(self) -> bool;

    /// Whether a walker that finds the descriptor goes on to a next-level table. The store of such
    /// a descriptor is ordered after the earlier stores of its thread, which have filled that
    /// table.
    ///
    /// The barrier is [`Machine::table_barrier`](crate::Machine::table_barrier), on aarch64 `dsb
    /// ishst`. The manual calls a walk "a separate observer", and promises that it observes a store
    /// only after a `dsb` (Arm ARM DDI 0487, rules R_TGRMW and R_SPVBD). It is silent about `dmb
    /// ishst` and `stlr`. Linux relies on a `dmb` for user tables (`pmd_install`), because a walk
    /// reads the child through the parent, and has `dsb ishst` for kernel tables
    /// (`init_clear_pgtable`). So this crate executes the `dsb`.
    fn points_to_table(self) -> bool;
}
