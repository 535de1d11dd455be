//! Counts instructions that are not stepped, with the PMU's event "instruction architecturally
//! executed" (Arm ARM DDI 0487, "The Performance Monitors Extension").
//!
//! QEMU has the event only in virtual time (`-icount`), and counts the instructions of all CPUs.
//! The count is exact while the other CPUs are off.

use core::arch::asm;

/// The number of the event INST_RETIRED.
const INST_RETIRED: u64 = 0x08;

/// Starts counter 0, from 0.
pub fn start() {
    // SAFETY: counting does not change memory, and other code does not use the counters.
    unsafe {
        asm!(
            "msr pmevtyper0_el0, {event}",
            // The bits E and P: enabled, from 0.
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

/// Returns the value of counter 0.
pub fn read() -> u64 {
    let count;
    // SAFETY: reading the counter changes nothing. The asm may access memory, so the compiler does
    // not move the program across it.
    unsafe {
        asm!(
            "isb", "mrs {count}, pmevcntr0_el0",
            count = out(reg) count, options(nostack, preserves_flags)
        );
    }
    count
}
