//! Memory accesses that may fault.

use core::arch::asm;

use lazy_mmu::riscv64::fix_spurious_fault;
use lazy_mmu_examples::machine::Fault;
use lazy_mmu_examples::page::USER_BASE;

use crate::traps;

/// Runs `access`, which is one load or store, and reports the fault that it took.
///
/// Repeats an access to a user's page that faulted. A hart may keep the invalid entry of such a
/// page, because its store executes no fence.
fn may_fault<T>(access: impl Fn() -> T) -> Result<T, Fault> {
    match traps::may_fault(&access) {
        Err(fault) if fault.address >= USER_BASE => {
            fix_spurious_fault();
            traps::may_fault(access)
        }
        other => other,
    }
}

/// Reads the 64-bit word at the virtual address `address`, a multiple of 8, through the MMU.
///
/// # Errors
///
/// Returns the fault that the load took.
pub fn read(address: u64) -> Result<u64, Fault> {
    may_fault(|| {
        let mut value = 0;
        // SAFETY: the instruction loads from mapped memory. At an unmapped address, the trap
        // handler skips it: it has four bytes. The asm may read any memory, so the compiler has
        // finished its earlier stores.
        unsafe {
            asm!(
                ".option push",
                ".option norvc",
                "ld {value}, 0({address})",
                ".option pop",
                value = inout(reg) value,
                address = in(reg) address,
                options(nostack, preserves_flags, readonly),
            );
        }
        value
    })
}

/// Writes `value` to the 64-bit word at the virtual address `address`, a multiple of 8.
///
/// # Errors
///
/// Returns the fault that the store took. The store then wrote nothing.
pub fn write(address: u64, value: u64) -> Result<(), Fault> {
    may_fault(|| {
        // SAFETY: the programs write to their own frames, through their own mappings. At an
        // unmapped address, the trap handler skips the store: it has four bytes.
        unsafe {
            asm!(
                ".option push",
                ".option norvc",
                "sd {value}, 0({address})",
                ".option pop",
                value = in(reg) value,
                address = in(reg) address,
                options(nostack, preserves_flags),
            );
        }
    })
}

/// Reads the 64-bit word at the mapped virtual address `address`, a multiple of 8.
///
/// A fault is unexpected, and ends the program.
pub fn read_mapped(address: u64) -> u64 {
    let word: u64;
    // SAFETY: the instruction loads from mapped memory. If the memory is not mapped, the trap
    // handler ends the program. The asm may read any memory, so the compiler has finished its
    // earlier stores.
    unsafe {
        asm!("ld {word}, 0({address})", word = out(reg) word, address = in(reg) address,
            options(nostack, preserves_flags, readonly));
    }
    word
}
