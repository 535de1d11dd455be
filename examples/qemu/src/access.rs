//! Memory accesses that may fault.

use core::arch::asm;

use lazy_mmu_examples::machine::{Fault, FaultReason};

use crate::exceptions::{RESUME, come_back_here, may_fault};

/// Loads a word through a register operand of the given width.
macro_rules! load {
    ($register:literal, $address:expr) => {
        may_fault(|| {
            let mut value = 0;
            // SAFETY: the instruction loads from mapped memory, or from a device whose registers
            // can be read without an effect. At an unmapped address, the abort handler skips it.
            // The asm may read any memory, so the compiler has finished its earlier stores.
            unsafe {
                asm!(concat!("ldr ", $register, ", [{address}]"), value = inout(reg) value,
                    address = in(reg) $address, options(nostack, preserves_flags, readonly));
            }
            value
        })
    };
}

/// Reads the 64-bit word at the virtual address `address`, a multiple of 8, through the MMU.
///
/// # Errors
///
/// Returns the fault that the load took.
pub fn read(address: u64) -> Result<u64, Fault> {
    load!("{value}", address)
}

/// Reads the 32-bit register of a device at the virtual address `address`, a multiple of 4.
///
/// # Errors
///
/// Returns the fault that the load took.
pub fn read_register(address: u64) -> Result<u32, Fault> {
    load!("{value:w}", address)
}

/// Writes `value` to the 64-bit word at the virtual address `address`, a multiple of 8.
///
/// # Errors
///
/// Returns the fault that the store took. The store then wrote nothing.
pub fn write(address: u64, value: u64) -> Result<(), Fault> {
    may_fault(|| {
        // SAFETY: the programs write to their own frames, through their own mappings. At an
        // unmapped address, the abort handler skips the store.
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
/// Returns the fault that the fetch took. The CPU then executed nothing.
///
/// # Safety
///
/// - The code is the return instruction `ret`.
pub unsafe fn execute(address: u64) -> Result<(), Fault> {
    may_fault(|| {
        // SAFETY: the code changes nothing. After a fault of its fetch, the program continues here.
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
/// Returns the fault that the fetch took. The CPU then executed nothing.
///
/// # Safety
///
/// - The code is the supervisor call `svc`.
pub unsafe fn execute_at_el0(address: u64) -> Result<(), Fault> {
    /// SPSR_EL1 for AArch64 state at EL0, with interrupts masked.
    const EL0: u64 = 0b1111 << 6;

    come_back_here();
    may_fault(|| {
        // SAFETY: the code changes nothing. It ends with an exception, and a fault of its fetch is
        // one too. The handler restores all registers, and continues behind the return to EL0.
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

/// Reads the 64-bit word at the mapped virtual address `address`, a multiple of 8.
///
/// A fault is unexpected, and ends the program.
pub fn read_mapped(address: u64) -> u64 {
    let word: u64;
    // SAFETY: the instruction loads from mapped memory. If the memory is not mapped, the abort
    // handler ends the program. The asm may read any memory, so the compiler has finished its
    // earlier stores.
    unsafe {
        asm!("ldr {word}, [{address}]", word = out(reg) word, address = in(reg) address,
            options(nostack, preserves_flags, readonly));
    }
    word
}

/// Makes the code at `address` visible to instruction fetches (Arm ARM DDI 0487, "Synchronization
/// and coherency issues between data and instruction accesses").
pub fn synchronise_code(address: u64) {
    // SAFETY: the instructions do not change memory.
    unsafe {
        asm!(
            "dc cvau, {address}",
            "dsb ish",
            // All addresses, because the CPU fetches the code at another address.
            "ic ialluis",
            "dsb ish",
            "isb",
            address = in(reg) address,
            options(nostack, preserves_flags),
        );
    }
}

/// Returns whether the tables permitted an access.
///
/// # Panics
///
/// Panics if the access faulted for a reason other than its permissions.
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
