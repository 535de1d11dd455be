//! The upper half of the address space, which TTBR1 translates.
//!
//! The registers are those of EL1. At EL2 with FEAT_VHE, the same names mean those of EL2.

use core::arch::asm;

use aarch64_cpu::asm::barrier;
use aarch64_cpu::registers::{ReadWriteable, Readable, TCR_EL1, TTBR1_EL1, Writeable};
use lazy_mmu_examples::frames::MemoryMap;
use lazy_mmu_examples::machine::Table;

use crate::step;

/// Lets the MMU walk the tables at the physical address `root`. They translate the addresses whose
/// upper `t1sz` bits are set.
pub fn activate(root: u64, t1sz: u64) {
    // The stores to the tables precede the register that points to them.
    barrier::dsb(barrier::ISHST);
    TTBR1_EL1.set(root);

    // Walks are as cacheable as the memory that holds the tables.
    TCR_EL1.modify(
        TCR_EL1::T1SZ.val(t1sz)
            + TCR_EL1::TG1::KiB_4
            + TCR_EL1::SH1::Inner
            + TCR_EL1::ORGN1::WriteBack_ReadAlloc_WriteAlloc_Cacheable
            + TCR_EL1::IRGN1::WriteBack_ReadAlloc_WriteAlloc_Cacheable
            + TCR_EL1::EPD1::EnableTTBR1Walks,
    );
    invalidate_all();
}

/// Lets the MMU walk the tables of a memory manager, whose root table is at `root`.
pub(crate) fn enter(root: u64, _: &Table) {
    // Addresses have 48 bits.
    activate(root, 16);
}

/// Leaves the tables of a memory manager. From now on, stores to those of another one, whose frames
/// are in `map`, are steps.
pub(crate) fn leave(map: MemoryMap<'static>) {
    deactivate();
    step::watch(step::Tables::Of(map));
}

/// Returns the level of a memory manager's root table.
pub(crate) fn root_level() -> usize {
    0
}

/// Returns the physical address of the tables that this CPU's MMU walks.
pub fn root() -> u64 {
    TTBR1_EL1.get()
}

/// Disables the walks, so that every address faults.
pub fn deactivate() {
    TCR_EL1.modify(TCR_EL1::EPD1::DisableTTBR1Walks);
    invalidate_all();
}

fn invalidate_all() {
    barrier::isb(barrier::SY);
    // SAFETY: the instruction invalidates translations, and does not change memory.
    unsafe { asm!("tlbi vmalle1", options(nostack, preserves_flags)) };
    barrier::dsb(barrier::NSH);
    barrier::isb(barrier::SY);
}
