//! The MMU's translation of an address without an access: the instruction AT, and PAR_EL1.
//!
//! The instructions are those of EL1. At EL2 with FEAT_VHE, they translate for EL2 and its EL0.

use core::arch::asm;

use aarch64_cpu::asm::barrier;
use aarch64_cpu::registers::{PAR_EL1, Readable};
use lazy_mmu_examples::machine::Fault;

use crate::exceptions::reason;

/// The kind of access to translate for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum By {
    /// The kernel reads.
    KernelRead,
    /// The kernel writes.
    KernelWrite,
    /// EL0 reads.
    UserRead,
    /// EL0 writes.
    UserWrite,
}

/// The translation of an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Translation {
    /// The physical address of the page, in bytes.
    pub page: u64,
    /// The memory type, as a byte of MAIR_EL1.
    pub memory: u8,
    /// SH: 0b10 is Outer Shareable, and 0b11 is Inner Shareable.
    pub shareability: u64,
}

/// Translates the virtual address `address`.
///
/// # Errors
///
/// Returns the fault that such an access would take.
pub fn translate(by: By, address: u64) -> Result<Translation, Fault> {
    /// Executes AT with this operation.
    macro_rules! at {
        ($operation:literal) => {
            // SAFETY: the instruction changes only PAR_EL1, which other code here does not use.
            unsafe {
                asm!(concat!("at ", $operation, ", {address}"), address = in(reg) address,
                    options(nostack, preserves_flags))
            }
        };
    }

    match by {
        By::KernelRead => at!("s1e1r"),
        By::KernelWrite => at!("s1e1w"),
        By::UserRead => at!("s1e0r"),
        By::UserWrite => at!("s1e0w"),
    }
    barrier::isb(barrier::SY);
    let result = PAR_EL1.get();
    if result & 1 != 0 {
        // F is set, and FST is in bits 6:1.
        let reason = reason(result >> 1);
        return Err(Fault { address, reason });
    }
    let [.., memory] = result.to_le_bytes();
    Ok(Translation {
        page: result & 0x0000_ffff_ffff_f000,
        memory,
        shareability: (result >> 7) & 0b11,
    })
}
