//! Accesses that may fault.

use core::arch::asm;

use lazy_mmu_examples::machine::Fault;

use crate::exceptions::may_fault;

/// Reads the 64-bit word at the virtual address `address`, a multiple of 8, as the MMU translates it.
///
/// # Errors
///
/// The fault that the access took.
pub fn read(address: u64) -> Result<u64, Fault> {
    may_fault(|| {
        let mut value: u64 = 0;
        // SAFETY: a load from mapped memory; from an unmapped address the abort handler skips it. The asm may read any
        // memory, so the compiler has stored everything before.
        unsafe {
            asm!("ldr {value}, [{address}]", value = inout(reg) value, address = in(reg) address,
                options(nostack, preserves_flags, readonly));
        }
        value
    })
}

/// Reads the 32-bit register of a device at the virtual address `address`, a multiple of 4.
///
/// # Errors
///
/// The fault that the access took.
pub fn read_register(address: u64) -> Result<u32, Fault> {
    may_fault(|| {
        let mut value: u32 = 0;
        // SAFETY: as in `read`; the devices here are read without effect.
        unsafe {
            asm!("ldr {value:w}, [{address}]", value = inout(reg) value, address = in(reg) address,
                options(nostack, preserves_flags, readonly));
        }
        value
    })
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

/// Reads the 64-bit word at the virtual address `address`, a multiple of 8, which is mapped: a fault would be unexpected, and end
/// the program.
#[must_use]
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
