//! The first instructions, the exception vectors, and the code that turns the MMU on.

use core::arch::{asm, naked_asm};
use core::panic::PanicInfo;

use aarch64_cpu::asm::barrier;
use aarch64_cpu::registers::{
    ELR_EL1, ESR_EL1, FAR_EL1, MAIR_EL1, ReadWriteable, Readable, SCTLR_EL1, TCR_EL1, TTBR0_EL1,
    TTBR1_EL1, VBAR_EL1, Writeable,
};
use lazy_mmu::aarch64::descriptor::memory_type;
use semihosting::{eprintln, process};

use crate::kernel::{early, late};

/// Normal memory, which `turn_mmu_on` describes in byte 1 of MAIR_EL1.
pub(crate) const NORMAL: u64 = memory_type(1);

/// The exit code of a fault before the kernel can print.
const EARLY_FAULT: i32 = 3;

/// The first instructions, at a low address.
///
/// If the machine starts the kernel at EL2, the kernel continues as a host with FEAT_VHE. The names
/// of EL1's registers and TLB instructions then mean those of EL2 (Arm ARM DDI 0487,
/// "Virtualization Host Extensions").
///
/// `early` runs at the low address too, and `late` at the address at which it is linked. Both find
/// their statics relative to themselves. `late` begins with an empty stack.
#[unsafe(naked)]
#[unsafe(no_mangle)]
#[unsafe(link_section = ".init.start")]
extern "C" fn start() {
    naked_asm!(
        "mrs x9, CurrentEL",
        "cmp x9, #(2 << 2)",
        "b.ne 1f",
        // The bits RW, E2H and TGE.
        "mov x9, #(1 << 31)",
        "orr x9, x9, #(1 << 34)",
        "orr x9, x9, #(1 << 27)",
        "msr hcr_el2, x9",
        "isb",
        // The compiler may use the floating-point registers.
        "1: mov x9, #(3 << 20)",
        "msr cpacr_el1, x9",
        "adrp x9, {vectors}",
        "add x9, x9, :lo12:{vectors}",
        "msr vbar_el1, x9",
        // The reset value is UNKNOWN. A null pointer means that there is no task.
        "msr tpidr_el1, xzr",
        "isb",
        "adrp x9, bss_begin",
        "adrp x10, bss_end",
        "2: cmp x9, x10",
        "b.hs 3f",
        "stp xzr, xzr, [x9], #16",
        "b 2b",
        "3: adrp x9, stack_end",
        "mov sp, x9",
        "bl {early}",
        // These are the only absolute addresses. From here on, the program runs where it is linked.
        "ldr x9, 4f",
        "mov sp, x9",
        "ldr x9, 5f",
        "br x9",
        ".balign 8",
        "4: .quad stack_end",
        "5: .quad {late}",
        vectors = sym vectors,
        early = sym early,
        late = sym late,
    )
}

/// The exception vectors, which all end the program.
#[unsafe(naked)]
#[unsafe(link_section = ".init.vectors")]
extern "C" fn vectors() {
    naked_asm!(
        ".rept 16",
        "b {fault}",
        ".balign 128",
        ".endr",
        fault = sym fault,
    )
}

extern "C" fn fault() -> ! {
    if !is_mmu_on() {
        process::exit(EARLY_FAULT);
    }
    panic!(
        "exception {:#x} at {:#x}, address {:#x}",
        ESR_EL1.get(),
        ELR_EL1.get(),
        FAR_EL1.get()
    );
}

/// Sets VBAR_EL1 to the address of the vectors in the present half.
pub(crate) fn move_vectors() {
    VBAR_EL1.set(vectors as *const () as u64);
    barrier::isb(barrier::SY);
}

/// Returns whether the MMU is on.
pub(crate) fn is_mmu_on() -> bool {
    SCTLR_EL1.is_set(SCTLR_EL1::M)
}

/// Returns the address at which this code runs.
#[inline]
pub(crate) fn program_counter() -> u64 {
    let address;
    // SAFETY: the instruction only computes an address.
    unsafe { asm!("adr {}, .", out(reg) address, options(nomem, nostack, preserves_flags)) };
    address
}

/// Returns the two addresses of the image: at which it runs, and at which it is linked.
pub(crate) fn image() -> [u64; 2] {
    let (runs_at, linked_at);
    // SAFETY: the instructions compute an address, and load a constant of the code.
    unsafe {
        asm!(
            "adrp {}, image_begin",
            "ldr {}, 1f",
            "b 2f",
            ".balign 8",
            "1: .quad image_begin",
            "2:",
            out(reg) runs_at,
            out(reg) linked_at,
            options(readonly, nostack, preserves_flags)
        );
    }
    [runs_at, linked_at]
}

/// Turns the MMU on, with the root tables at these physical addresses.
///
/// QEMU does not have caches. On a real CPU, the caches must be invalidated for the memory that was
/// written before.
///
/// # Safety
///
/// - The tables map the running code, its data and its stack at their present addresses.
/// - The TLBs do not have other translations of these addresses.
pub(crate) unsafe fn turn_mmu_on(low_root: u64, high_root: u64) {
    MAIR_EL1.write(
        MAIR_EL1::Attr1_Normal_Outer::WriteBack_NonTransient_ReadWriteAlloc
            + MAIR_EL1::Attr1_Normal_Inner::WriteBack_NonTransient_ReadWriteAlloc,
    );
    // Each half has addresses of 48 bits and pages of 4 KiB.
    TCR_EL1.write(
        TCR_EL1::IPS::Bits_40
            + TCR_EL1::TG0::KiB_4
            + TCR_EL1::TG1::KiB_4
            + TCR_EL1::SH0::Inner
            + TCR_EL1::SH1::Inner
            + TCR_EL1::ORGN0::WriteBack_ReadAlloc_WriteAlloc_Cacheable
            + TCR_EL1::ORGN1::WriteBack_ReadAlloc_WriteAlloc_Cacheable
            + TCR_EL1::IRGN0::WriteBack_ReadAlloc_WriteAlloc_Cacheable
            + TCR_EL1::IRGN1::WriteBack_ReadAlloc_WriteAlloc_Cacheable
            + TCR_EL1::T0SZ.val(16)
            + TCR_EL1::T1SZ.val(16),
    );
    TTBR0_EL1.set_baddr(low_root);
    TTBR1_EL1.set_baddr(high_root);
    barrier::isb(barrier::SY);
    SCTLR_EL1.modify(SCTLR_EL1::M::Enable + SCTLR_EL1::C::Cacheable + SCTLR_EL1::I::Cacheable);
    barrier::isb(barrier::SY);
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    if !is_mmu_on() {
        process::exit(EARLY_FAULT);
    }
    eprintln!("{info}");
    process::exit(1);
}
