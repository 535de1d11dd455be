//! Traps: the interrupts, and the page faults that a program provokes.

use core::arch::{asm, naked_asm};
use core::mem::transmute;
use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};

use lazy_mmu::riscv64::{check_new_mappings, fix_spurious_fault};
use lazy_mmu_examples::machine::{Fault, FaultReason};
use riscv::register::stvec::{self, Stvec, TrapMode};
use riscv::register::{scause, sstatus, stval};

use crate::hart::{self, HARTS, Hart};
use crate::interrupts;

/// The exception codes of scause for `ebreak`, and for an instruction, a load and a store or atomic
/// whose page is not mapped, or is not permitted (RISC-V privileged specification, "Supervisor
/// Cause Register").
const BREAKPOINT: usize = 3;
const INSTRUCTION_PAGE_FAULT: usize = 12;
const LOAD_PAGE_FAULT: usize = 13;
const STORE_PAGE_FAULT: usize = 15;
/// The interrupt codes of scause.
const SOFTWARE_INTERRUPT: usize = 1;
const TIMER_INTERRUPT: usize = 5;

/// Whether the running access may fault.
static EXPECTED: AtomicBool = AtomicBool::new(false);
/// Whether the expected fault has occurred.
static FAULTED: AtomicBool = AtomicBool::new(false);
/// stval of the expected fault.
static ADDRESS: AtomicU64 = AtomicU64::new(0);

/// Lets this hart take traps. Interrupts stay masked.
pub fn init() {
    let vector = Stvec::new(vector as *const () as usize, TrapMode::Direct);
    // SAFETY: the vector saves and restores the registers of the interrupted code.
    unsafe { stvec::write(vector) };
    // The kernel accesses the pages of users.
    // SAFETY: the bit only permits accesses.
    unsafe { sstatus::set_sum() };
}

/// What the vector saves in a frame. The kernel does not use floating point.
#[derive(Debug)]
#[repr(C)]
struct Frame {
    /// x1 and x3 to x31. The places of x0 and x2, which is the stack pointer, are not used.
    registers: [usize; 32],
    sepc: usize,
    sstatus: usize,
}

/// Saves the registers of the interrupted code on its stack, and calls the handler.
///
/// `sepc` and `sstatus` are saved because a trap in the handler overwrites them.
#[unsafe(naked)]
extern "C" fn vector() {
    naked_asm!(
        ".balign 4",
        // `tp` points to the hart's memory until the flag is checked, because the stack may be
        // newly mapped.
        "csrrw tp, sscratch, tp",
        "sd t0, {scratch}(tp)",
        check_new_mappings!("t0", "0(tp)"),
        "ld t0, {scratch}(tp)",
        "csrrw tp, sscratch, tp",
        ".macro frame instruction",
        "\\instruction x1, 8(sp)",
        ".irp register, 3,4,5,6,7,8,9,10,11,12,13,14,15,16,17",
        "\\instruction x\\register, 8*\\register(sp)",
        ".endr",
        ".irp register, 18,19,20,21,22,23,24,25,26,27,28,29,30,31",
        "\\instruction x\\register, 8*\\register(sp)",
        ".endr",
        ".endm",
        "addi sp, sp, -{size}",
        "frame sd",
        "csrr a0, sepc",
        "csrr a1, sstatus",
        "sd a0, {sepc}(sp)",
        "sd a1, {sstatus}(sp)",
        "mv a0, sp",
        "call {handle}",
        // The stack is accessed after sepc is loaded, so another hart's new mapping must not fault.
        "csrrw tp, sscratch, tp",
        check_new_mappings!("t0", "0(tp)"),
        "csrrw tp, sscratch, tp",
        "ld a0, {sepc}(sp)",
        "ld a1, {sstatus}(sp)",
        "csrw sepc, a0",
        "csrw sstatus, a1",
        "frame ld",
        "addi sp, sp, {size}",
        ".purgem frame",
        "sret",
        size = const size_of::<Frame>(),
        sepc = const core::mem::offset_of!(Frame, sepc),
        sstatus = const core::mem::offset_of!(Frame, sstatus),
        handle = sym handle,
        scratch = const core::mem::offset_of!(Hart, scratch),
    )
}

const _: () = assert!(
    core::mem::offset_of!(Hart, new_mappings) == 0,
    "the vector finds the flag there"
);

const _: () = assert!(
    size_of::<Frame>().is_multiple_of(16),
    "the stack pointer is a multiple of 16"
);

extern "C" fn handle(frame: &mut Frame) {
    let cause = scause::read();
    match (cause.is_interrupt(), cause.code()) {
        (true, TIMER_INTERRUPT) => interrupts::on_timer(),
        (true, SOFTWARE_INTERRUPT) => interrupts::on_software_interrupt(),
        (false, LOAD_PAGE_FAULT | STORE_PAGE_FAULT) if EXPECTED.load(Relaxed) => {
            ADDRESS.store(stval::read() as u64, Relaxed);
            FAULTED.store(true, Relaxed);
            // The access is an instruction of four bytes, whose result is not used.
            frame.sepc += 4;
        }
        (false, BREAKPOINT) => {
            let function = frame.registers[ARGUMENT];
            // SAFETY: only `take_exception` executes an `ebreak` that the handler sees, with a
            // function in the register.
            let function = unsafe { transmute::<usize, fn()>(function) };
            function();
            frame.sepc += 4;
        }
        // The hart may have kept an invalid entry. An emulated one does not.
        (false, INSTRUCTION_PAGE_FAULT | LOAD_PAGE_FAULT | STORE_PAGE_FAULT)
            if !is_repeated(stval::read()) =>
        {
            fix_spurious_fault();
        }
        (_, code) => panic!(
            "trap {code} at {:#x}, address {:#x}",
            frame.sepc,
            stval::read()
        ),
    }
}

/// The register a0, in which a function has its argument.
const ARGUMENT: usize = 10;

/// Takes an exception on this hart. Its handler calls `f`.
pub fn take_exception(f: fn()) {
    // SAFETY: the handler returns to the instruction behind, with all registers as they are. The
    // compiler does not move accesses over it.
    unsafe {
        asm!(
            ".option push",
            ".option norvc",
            "ebreak",
            ".option pop",
            in("a0") f as *const () as usize,
            options(nostack),
        );
    }
}

/// Returns whether the last unexpected page fault of this hart was at the same address. The fence
/// after that fault then has not repaired it. A kernel on hardware walks the tables instead, and
/// finds whether the entry permits the access.
fn is_repeated(address: usize) -> bool {
    static LAST: [AtomicUsize; HARTS] = [const { AtomicUsize::new(0) }; HARTS];
    LAST[hart::number()].swap(address, Relaxed) == address
}

/// Runs `access`, which is one load or store instruction of four bytes, and reports the fault that
/// it took. Only one hart does so at a time.
///
/// # Errors
///
/// Returns that fault.
pub fn may_fault<R>(access: impl FnOnce() -> R) -> Result<R, Fault> {
    FAULTED.store(false, Relaxed);
    EXPECTED.store(true, Relaxed);
    let result = access();
    EXPECTED.store(false, Relaxed);
    if FAULTED.load(Relaxed) {
        return Err(Fault {
            address: ADDRESS.load(Relaxed),
            // scause does not tell a missing page from a permission.
            reason: FaultReason::NotMapped,
        });
    }
    Ok(result)
}
