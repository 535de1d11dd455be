//! The upper half of the address space: TTBR1.
//!
//! The registers of EL1; at EL2, as a host with FEAT_VHE, the same names mean EL2's.

use core::arch::asm;

use aarch64_cpu::asm::barrier;
use aarch64_cpu::registers::{ReadWriteable, Readable, TCR_EL1, TTBR1_EL1, Writeable};

/// Lets the MMU walk the tables at the physical address `root`, for the addresses whose upper `t1sz` bits are set.
pub fn activate(root: u64, t1sz: u64) {
    // The tables before the register that points to them.
    barrier::dsb(barrier::ISHST);
    TTBR1_EL1.set(root);

    // Walks as cacheable as the memory that holds the tables.
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

/// The physical address of the tables that this CPU's MMU walks.
pub fn root() -> u64 {
    TTBR1_EL1.get()
}

/// Switches the walks off: every address faults.
pub fn deactivate() {
    TCR_EL1.modify(TCR_EL1::EPD1::DisableTTBR1Walks);
    invalidate_all();
}

fn invalidate_all() {
    barrier::isb(barrier::SY);
    // SAFETY: forgetting translations changes no memory.
    unsafe { asm!("tlbi vmalle1", options(nostack, preserves_flags)) };
    barrier::dsb(barrier::NSH);
    barrier::isb(barrier::SY);
}
