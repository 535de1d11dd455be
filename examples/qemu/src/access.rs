//! Accesses that may fault.

use core::arch::asm;

use lazy_mmu_examples::machine::{Fault, FaultReason};

use crate::exceptions::{RESUME, come_back_here, may_fault};

/// A load into a register of this width.
macro_rules! load {
    ($register:literal, $address:expr) => {
        may_fault(|| {
            let mut value = 0;
            // SAFETY: a load from mapped memory, or from a device that is read without effect; from
            // an unmapped address the abort handler skips it. The asm may read any memory, so the
            // compiler has stored everything before.
            unsafe {
                asm!(concat!("ldr ", $register, ", [{address}]"), value = inout(reg) value,
                    address = in(reg) $address, options(nostack, preserves_flags, readonly));
            }
            value
        })
    };
}

/// Reads the 64-bit word at the virtual address `address`, a multiple of 8, as the MMU translates it.
///
/// # Errors
///
/// The fault that the access took.
pub fn read(address: u64) -> Result<u64, Fault> {
    load!("{value}", address)
}

/// Reads the 32-bit register of a device at the virtual address `address`, a multiple of 4.
///
/// # Errors
///
/// The fault that the access took.
pub fn read_register(address: u64) -> Result<u32, Fault> {
    load!("{value:w}", address)
}

/// Writes `value` to the 64-bit word at the virtual address `address`, a multiple of 8.
///
/// # Errors
///
/// The fault that the access took; nothing was written.
pub fn write(address: u64, value: u64) -> Result<(), Fault> {
    may_fault(|| {
        // SAFETY: the programs write to frames of theirs, through mappings of their own; at an unmapped address the abort
        // handler skips the store.
        unsafe {
            asm!("str {value}, [{address}]", value = in(reg) value, address = in(reg) address,
                options(nostack, preserves_flags));
        }
    })
}

/// Calls the code at the virtual address `address`.
///
/// # Errors
///
/// The fault that the fetch took; nothing was executed.
///
/// # Safety
///
/// The code is a return, `ret`.
pub unsafe fn execute(address: u64) -> Result<(), Fault> {
    may_fault(|| {
        // SAFETY: the code changes nothing. If its fetch faults, the abort's handler goes on behind
        // the call.
        unsafe {
            asm!(
                "adr {resume}, 2f",
                "str {resume}, [{place}]",
                "blr {address}",
                "2:",
                resume = out(reg) _,
                place = in(reg) RESUME.as_ptr(),
                address = in(reg) address,
                out("lr") _,
            );
        }
    })
}

/// Lets EL0 execute the code at the virtual address `address`.
///
/// # Errors
///
/// The fault that the fetch took; nothing was executed.
///
/// # Safety
///
/// The code is a supervisor call, `svc`.
pub unsafe fn execute_at_el0(address: u64) -> Result<(), Fault> {
    /// SPSR_EL1 of AArch64 state at EL0, with interrupts masked.
    const EL0: u64 = 0b1111 << 6;

    come_back_here();
    may_fault(|| {
        // SAFETY: the code changes nothing. It ends by an exception, as does a fault of its fetch.
        // The handler restores all registers, and goes on behind the return to EL0.
        unsafe {
            asm!(
                "adr {resume}, 2f",
                "str {resume}, [{place}]",
                "msr elr_el1, {address}",
                "msr spsr_el1, {el0}",
                "eret",
                "2:",
                resume = out(reg) _,
                place = in(reg) RESUME.as_ptr(),
                address = in(reg) address,
                el0 = in(reg) EL0,
            );
        }
    })
}

/// Reads the 64-bit word at the virtual address `address`, a multiple of 8, which is mapped: a fault would be unexpected, and end
/// the program.
pub fn read_mapped(address: u64) -> u64 {
    let word: u64;
    // SAFETY: a load from mapped memory; if it is not, the abort's handler ends the program. The asm may read any memory, so the
    // compiler has stored everything before.
    unsafe {
        asm!("ldr {word}, [{address}]", word = out(reg) word, address = in(reg) address,
            options(nostack, preserves_flags, readonly));
    }
    word
}

/// Makes the code at `address` visible to instruction fetches (Arm ARM DDI 0487, "Synchronization
/// and coherency issues between data and instruction accesses").
pub fn synchronise_code(address: u64) {
    // SAFETY: it changes no memory.
    unsafe {
        asm!(
            "dc cvau, {address}",
            "dsb ish",
            // Of all addresses, for the code is fetched at another one.
            "ic ialluis",
            "dsb ish",
            "isb",
            address = in(reg) address,
            options(nostack, preserves_flags),
        );
    }
}

/// Whether the tables permitted an access.
///
/// # Panics
///
/// If it faulted for another reason than its permissions.
pub fn is_permitted<T>(result: &Result<T, Fault>) -> bool {
    match result {
        Ok(_) => true,
        Err(Fault {
            reason: FaultReason::NotPermitted,
            ..
        }) => false,
        Err(other) => panic!("{other}"),
    }
}
