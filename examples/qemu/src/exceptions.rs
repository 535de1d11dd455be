//! Exceptions: the single steps of the kernel's own level, and the aborts that a program provokes.

use core::arch::naked_asm;
use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};

use aarch64_cpu::registers::{CurrentEL, DAIF, Readable};
#[cfg(not(feature = "el2"))]
use aarch64_cpu::registers::{ESR_EL1 as ESR, FAR_EL1 as FAR};
#[cfg(feature = "el2")]
use aarch64_cpu::registers::{ESR_EL2 as ESR, FAR_EL2 as FAR};
use aarch64_rt::{ExceptionHandlers, RegisterStateRef};
use lazy_mmu_examples::machine::{Fault, FaultReason};

use crate::{interrupts, step};

/// ESR_EL1.EC of a data abort from the current Exception level.
const DATA_ABORT: u64 = 0x25;
/// ESR_EL1.EC of an instruction abort from the current Exception level.
const INSTRUCTION_ABORT: u64 = 0x21;
/// ESR_EL1.EC of an instruction abort from a lower Exception level.
const LOWER_INSTRUCTION_ABORT: u64 = 0x20;
/// ESR_EL1.EC of SVC in AArch64 state.
const SUPERVISOR_CALL: u64 = 0x15;
/// ESR_EL1.EC of a software step from the current Exception level.
const SOFTWARE_STEP: u64 = 0x33;
/// ESR_EL1.EC of a breakpoint from the current Exception level.
const BREAKPOINT: u64 = 0x31;

/// The registers x19 to x28, which `aarch64-rt` expects the callee to save.
pub type CalleeSaved = [u64; 10];

/// Whether the running access may fault.
static EXPECTED: AtomicBool = AtomicBool::new(false);
/// ESR_EL1 of the expected fault. It is 0 if the access did not fault.
static SYNDROME: AtomicU64 = AtomicU64::new(0);
/// FAR_EL1 of the expected fault.
static ADDRESS: AtomicU64 = AtomicU64::new(0);
/// Where the program continues after a call of code whose fetch faults, or which EL0 executes.
pub(crate) static RESUME: AtomicUsize = AtomicUsize::new(0);
/// The SPSR_EL1 with which the program continues after code at EL0.
static STATE: AtomicU64 = AtomicU64::new(0);

/// Saves the registers that the vector does not save, and calls the handler.
///
/// The interrupted instruction stream must find them unchanged. The step handler reads x19 to x28.
/// A handler may use the SIMD registers.
macro_rules! save_and_call {
    ($handler:ident) => {
        naked_asm!(
            ".macro frame instruction, one",
            "\\instruction x19, x20, [sp, #0]",
            "\\instruction x21, x22, [sp, #16]",
            "\\instruction x23, x24, [sp, #32]",
            "\\instruction x25, x26, [sp, #48]",
            "\\instruction x27, x28, [sp, #64]",
            "\\one x30, [sp, #80]",
            "\\instruction q0, q1, [sp, #96]",
            "\\instruction q2, q3, [sp, #128]",
            "\\instruction q4, q5, [sp, #160]",
            "\\instruction q6, q7, [sp, #192]",
            "\\instruction q8, q9, [sp, #224]",
            "\\instruction q10, q11, [sp, #256]",
            "\\instruction q12, q13, [sp, #288]",
            "\\instruction q14, q15, [sp, #320]",
            "\\instruction q16, q17, [sp, #352]",
            "\\instruction q18, q19, [sp, #384]",
            "\\instruction q20, q21, [sp, #416]",
            "\\instruction q22, q23, [sp, #448]",
            "\\instruction q24, q25, [sp, #480]",
            "\\instruction q26, q27, [sp, #512]",
            "\\instruction q28, q29, [sp, #544]",
            "\\instruction q30, q31, [sp, #576]",
            ".endm",
            "sub sp, sp, #608",
            "frame stp, str",
            "mov x1, sp",
            "bl {handle}",
            "frame ldp, ldr",
            "add sp, sp, #608",
            ".purgem frame",
            "ret",
            handle = sym $handler,
        )
    };
}

/// The handlers that the program's vectors call.
#[derive(Debug)]
pub struct Exceptions;

impl ExceptionHandlers for Exceptions {
    #[unsafe(naked)]
    extern "C" fn sync_current(state: RegisterStateRef<'_>) {
        save_and_call!(handle)
    }

    #[unsafe(naked)]
    extern "C" fn irq_current(state: RegisterStateRef<'_>) {
        save_and_call!(handle_interrupt)
    }

    #[unsafe(naked)]
    extern "C" fn sync_lower(state: RegisterStateRef<'_>) {
        save_and_call!(handle_lower)
    }
}

/// Handles an exception from EL0, whose code executed SVC or whose fetch faulted.
extern "C" fn handle_lower(mut state: RegisterStateRef<'_>, _: &CalleeSaved) {
    let syndrome = ESR.get();
    match class(syndrome) {
        SUPERVISOR_CALL => {}
        LOWER_INSTRUCTION_ABORT if EXPECTED.load(Relaxed) => note(syndrome),
        class => panic!("exception class {class:#x} from EL0, at {:#x}", state.elr),
    }
    // SAFETY: the interrupted call of `access` continues at this address.
    let state = unsafe { state.get_mut() };
    state.elr = RESUME.load(Relaxed);
    state.spsr = STATE.load(Relaxed);
}

/// Returns the exception class: EC is in bits 31:26, and ISS2 is above it.
const fn class(syndrome: u64) -> u64 {
    (syndrome >> 26) & 0x3f
}

/// Records an expected fault.
fn note(syndrome: u64) {
    SYNDROME.store(syndrome, Relaxed);
    ADDRESS.store(FAR.get(), Relaxed);
}

extern "C" fn handle_interrupt(_: RegisterStateRef<'_>, _: &CalleeSaved) {
    interrupts::on_interrupt();
}

extern "C" fn handle(mut state: RegisterStateRef<'_>, saved: &CalleeSaved) {
    let syndrome = ESR.get();
    match class(syndrome) {
        SOFTWARE_STEP => step::on_step(&mut state, saved),
        BREAKPOINT => step::on_breakpoint(&mut state, saved),
        // The code wants the exception itself, which synchronizes the CPU.
        SUPERVISOR_CALL => {}
        DATA_ABORT if PAGER.load(Relaxed) != 0 => {
            let address = FAR.get();
            let pager = PAGER.swap(0, Relaxed);
            // SAFETY: `with_pager` has stored the address of a function of this type.
            let pager: fn(u64) = unsafe { core::mem::transmute(pager) };
            step::unmask_in_handler();
            pager(address);
            step::mask();
        }
        DATA_ABORT if EXPECTED.load(Relaxed) => {
            note(syndrome);
            // SAFETY: the access is an instruction of four bytes, whose result is not used.
            unsafe { state.get_mut() }.elr += 4;
        }
        INSTRUCTION_ABORT if EXPECTED.load(Relaxed) => {
            note(syndrome);
            // SAFETY: the interrupted call of `access` continues at this address.
            unsafe { state.get_mut() }.elr = RESUME.load(Relaxed);
        }
        class => panic!(
            "exception class {class:#x} at {:#x}, address {:#x}",
            state.elr,
            FAR.get()
        ),
    }
}

/// The function that the next data abort calls, to map the missing page. It is 0 if there is none.
static PAGER: AtomicUsize = AtomicUsize::new(0);

/// Runs `program`, in which one access may fault.
///
/// The exception handler passes the address of the fault to `pager`. When `pager` returns, the CPU
/// makes the access again.
pub fn with_pager<R>(pager: fn(u64), program: impl FnOnce() -> R) -> R {
    PAGER.store(pager as usize, Relaxed);
    let result = program();
    PAGER.store(0, Relaxed);
    result
}

/// Records that, after code at EL0, the program continues in its present state.
pub(crate) fn come_back_here() {
    // The kernels use the stack pointer of their own level.
    STATE.store(DAIF.get() | CurrentEL.get() | 1, Relaxed);
}

/// Runs `access`, which is one load, store or call, and reports the fault that it took.
///
/// # Errors
///
/// Returns that fault.
pub fn may_fault<R>(access: impl FnOnce() -> R) -> Result<R, Fault> {
    SYNDROME.store(0, Relaxed);
    EXPECTED.store(true, Relaxed);
    let result = access();
    EXPECTED.store(false, Relaxed);
    match SYNDROME.load(Relaxed) {
        0 => Ok(result),
        syndrome => Err(Fault {
            address: ADDRESS.load(Relaxed),
            reason: reason(syndrome),
        }),
    }
}

/// Decodes the reason from DFSC or IFSC, bits 5:0, whose bits 1:0 are the level (Arm ARM, ISS
/// encodings for a Data Abort and an Instruction Abort). PAR_EL1.FST has the same encoding.
pub(crate) fn reason(status: u64) -> FaultReason {
    match (status >> 2) & 0b1111 {
        0b0001 => FaultReason::NotMapped,
        0b0010 => FaultReason::NotAccessed,
        0b0011 => FaultReason::NotPermitted,
        _ => FaultReason::Other,
    }
}
