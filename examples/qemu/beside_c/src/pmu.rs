//! Counts instructions that are not stepped: the event "instruction architecturally executed" of the PMU (Arm ARM DDI 0487,
//! "The Performance Monitors Extension"). QEMU has it in virtual time only (`-icount`), and counts those of all CPUs: exact as
//! long as the others are off.

use core::arch::asm;

/// INST_RETIRED
const INST_RETIRED: u64 = 0x08;

/// Lets counter 0 count, from 0.
pub fn start() {
    // SAFETY: counting changes no memory; nobody else uses the counters.
    unsafe {
        asm!(
            "msr pmevtyper0_el0, {event}",
            // E, P: enabled, from 0.
            "msr pmcr_el0, {enabled}",
            "msr pmcntenset_el0, {zero}",
            "isb",
            event = in(reg) INST_RETIRED,
            enabled = in(reg) 0b11_u64,
            zero = in(reg) 1_u64,
            options(nostack, preserves_flags)
        );
    }
}

/// What counter 0 has counted.
pub fn read() -> u64 {
    let count;
    // SAFETY: reading the counter changes nothing. The asm may access memory, so the compiler leaves the program on its side.
    unsafe {
        asm!("isb", "mrs {count}, pmevcntr0_el0", count = out(reg) count, options(nostack, preserves_flags));
    }
    count
}
