//! The single-step handler: the kernel steps itself, and records the instructions that matter.
//!
//! Under emulation, a barrier has no effect that software can observe. The handler therefore counts
//! the barriers that the CPU executes. While a program is stepped, `MDSCR_EL1.SS` and `KDE` are set
//! and PSTATE.D is clear. A software step exception follows each instruction, and its handler looks
//! at the next instruction (Arm ARM DDI 0487, "Software Step exceptions"). The counts are exact,
//! because they do not depend on time. Only one CPU steps at a time.

use core::arch::asm;
use core::cell::UnsafeCell;
use core::ptr::with_exposed_provenance;

use aarch64_cpu::registers::{MDSCR_EL1, OSLAR_EL1, ReadWriteable, Writeable};
use aarch64_rt::RegisterStateRef;
use arrayvec::ArrayString;
use lazy_mmu_examples::Frame;
use lazy_mmu_examples::frames::MemoryMap;
use lazy_mmu_examples::page::LINEAR_BASE;
use lazy_mmu_examples::trace::{Order, Step};
use spin::mutex::SpinMutex;
use yaxpeax_arch::{Decoder, U8Reader};
use yaxpeax_arm::armv8::a64::{InstDecoder, Instruction, Opcode, Operand, ShiftStyle, SizeCode};

use crate::exceptions::CalleeSaved;
use crate::{exclusive, interrupts};

/// `dsb ishst`
const DSB_ISHST: u32 = 0xd503_3a9f;
/// `dsb ish`
const DSB_ISH: u32 = 0xd503_3b9f;
/// `dsb sy`
const DSB_SY: u32 = 0xd503_3f9f;
/// `dsb nsh`
const DSB_NSH: u32 = 0xd503_379f;
/// `dmb ishst`
const DMB_ISHST: u32 = 0xd503_3abf;
/// `isb`
const ISB: u32 = 0xd503_3fdf;

/// SPSR_EL1.SS
const SPSR_SS: u64 = 1 << 21;

/// The highest number of instructions that can be recorded between `start` and `stop`.
const CAPACITY: usize = 1 << 19;

/// The recorded instructions.
struct Steps(UnsafeCell<[Step; CAPACITY]>);

// SAFETY: one CPU steps at a time. The handler writes only while the program is stepped, and the
// program reads only while it is not.
unsafe impl Sync for Steps {}

static STEPS: Steps = Steps(UnsafeCell::new([Step::Store; CAPACITY]));

/// The state of the handler.
struct Log {
    stepping: bool,
    watched: Tables,
    injection: Injection,
    noted: usize,
    noted_at_fault: usize,
    /// The counts. The steps are in [`STEPS`].
    trace: Trace,
}

/// The program locks this only while it is not stepped, and the handler only while it is.
static LOG: SpinMutex<Log> = SpinMutex::new(Log {
    stepping: false,
    watched: Tables::At(0..0),
    injection: Injection::None,
    noted: 0,
    noted_at_fault: 0,
    trace: Trace::EMPTY,
});

/// The memory that holds translation tables.
#[derive(Clone, Debug)]
pub enum Tables {
    /// The frames of the map that are tables at the time of the store, seen through the linear map.
    Of(MemoryMap<'static>),
    /// The virtual addresses in this range.
    At(core::ops::Range<u64>),
}

impl Tables {
    fn contain(&self, address: u64) -> bool {
        match self {
            Self::Of(map) => address
                .checked_sub(LINEAR_BASE)
                .is_some_and(|physical| map.is_table(Frame::containing(physical))),
            Self::At(range) => range.contains(&address),
        }
    }
}

/// Counts stores to `tables` from now on.
pub fn watch(tables: Tables) {
    LOG.lock().watched = tables;
}

/// Unmasks step exceptions inside an exception handler, if the interrupted program is stepped.
pub fn unmask_in_handler() {
    let stepping = LOG.lock().stepping;
    if stepping {
        // SAFETY: as in `start`. The vector has saved the program's registers.
        unsafe { asm!("msr daifclr, #8", options(nostack, preserves_flags)) };
    }
}

/// The record of a stepped program.
#[derive(Clone, Copy, Debug)]
pub struct Trace {
    /// The recorded instructions, in order.
    pub steps: &'static [Step],
    /// The number of all instructions.
    pub instructions: usize,
    /// The number of atomic read-modify-writes. A pair of `ldxr` and `stxr` counts as one.
    pub atomics: usize,
    /// The number of instructions that only load.
    pub loads: usize,
    /// The number of calls (BL, BLR).
    pub calls: usize,
    /// The number of reads of system registers (MRS).
    pub register_reads: usize,
}

impl Trace {
    const EMPTY: Self = Self {
        steps: &[],
        instructions: 0,
        atomics: 0,
        loads: 0,
        calls: 0,
        register_reads: 0,
    };
}

/// Steps through `program`.
pub fn trace<R>(program: impl FnOnce() -> R) -> (R, Trace) {
    start();
    let result = program();
    (result, stop())
}

/// Steps through `program`, and checks the order of its steps as [`Trace::is`] does.
#[track_caller]
pub fn expect<R>(expected: &str, program: impl FnOnce() -> R) -> (R, Trace) {
    let (result, trace) = trace(program);
    let order = trace.order();
    assert!(
        trace.is(expected),
        "expected {expected}, stepped over {order}"
    );
    (result, trace)
}

/// Begins to step.
pub fn start() {
    // The first stepped instruction is then always the same.
    mask();
    {
        let mut log = LOG.lock();
        log.stepping = true;
        log.noted = 0;
        log.trace = Trace::EMPTY;
    }
    // The OS lock masks debug exceptions, and is locked after reset.
    OSLAR_EL1.set(0);
    MDSCR_EL1.modify(MDSCR_EL1::SS::SET + MDSCR_EL1::KDE::SET);
    aarch64_cpu::asm::barrier::isb(aarch64_cpu::asm::barrier::SY);
    // SAFETY: the step exceptions return to the interrupted instruction, and restore its registers.
    // The asm clobbers memory, so the compiler keeps the program behind it.
    unsafe { asm!("msr daifclr, #8", options(nostack, preserves_flags)) };
}

/// Stops stepping, and returns the record.
#[inline(always)]
#[expect(clippy::inline_always, reason = "a call would be stepped over")]
pub fn stop() -> Trace {
    mask();
    end()
}

#[inline(never)]
fn end() -> Trace {
    MDSCR_EL1.modify(MDSCR_EL1::SS::CLEAR + MDSCR_EL1::KDE::CLEAR);
    let mut log = LOG.lock();
    log.stepping = false;
    // SAFETY: the handler does not write now. All programs drop the slice before they step again.
    let steps = unsafe { &*STEPS.0.get() };
    let steps = steps.get(..log.noted);
    Trace {
        steps: steps.expect("the log has room for the steps"),
        ..log.trace
    }
}

/// Masks step exceptions.
pub fn mask() {
    // SAFETY: the instruction masks debug exceptions, and does not change memory. As in `start`,
    // the compiler keeps the program in its place.
    unsafe { asm!("msr daifset, #8", options(nostack, preserves_flags)) };
}

/// Handles a step exception. The CPU executes the instruction at ELR_EL1 next, and only this one.
pub fn on_step(state: &mut RegisterStateRef<'_>, saved: &CalleeSaved) {
    inject();
    let at: *const u32 = with_exposed_provenance(state.elr);
    // SAFETY: the CPU is about to execute the instruction at this address.
    let word = unsafe { at.read() };
    let mut log = LOG.lock();
    let step = match word {
        DSB_ISHST => Some(Step::DsbIshst),
        DSB_ISH => Some(Step::DsbIsh),
        DSB_SY => Some(Step::DsbSy),
        DSB_NSH => Some(Step::DsbNsh),
        DMB_ISHST => Some(Step::DmbIshst),
        ISB => Some(Step::Isb),
        _ if is_repeated_tlbi(word) => Some(Step::TlbiRepeated),
        _ if is_tlbi(word) && !is_broadcast(word) => Some(Step::TlbiHere),
        _ if is_tlbi(word) => Some(if word & ALL_LEVELS == 1 << 5 {
            Step::TlbiTable
        } else {
            Step::Tlbi
        }),
        _ if is_load_or_store(word) => log.access(word, state, saved),
        _ => {
            log.trace.calls += usize::from(is_call(word));
            log.trace.register_reads += usize::from(is_register_read(word));
            None
        }
    };
    if let Some(step) = step {
        log.note(step);
    }
    if exclusive::is_load(word) {
        exclusive::run_through(state.elr);
        return;
    }
    log.trace.instructions += 1;
    // SAFETY: SS only makes the CPU execute one instruction before the next step exception.
    unsafe { state.get_mut() }.spsr |= SPSR_SS;
}

/// Handles the breakpoint behind an exclusive pair, which is at ELR_EL1.
pub fn on_breakpoint(state: &mut RegisterStateRef<'_>, saved: &CalleeSaved) {
    LOG.lock().trace.instructions += exclusive::left(state.elr);
    on_step(state, saved);
}

/// An event before an instruction of the program.
#[derive(Clone, Copy, Debug)]
pub enum Injection {
    /// No event.
    None,
    /// An interrupt before the instructions with these two numbers. The CPU takes it there.
    Interrupts([usize; 2]),
    /// An interrupt before each instruction.
    InterruptEverywhere,
    /// A synchronous exception on behalf of the thread: before the instruction with this number,
    /// the handler of the step exception calls the function.
    Fault(usize, fn()),
}

/// Sets the event for the programs that are stepped from now on.
pub fn inject_at(injection: Injection) {
    LOG.lock().injection = injection;
}

/// Returns the number of steps recorded when the last fault was injected.
pub fn noted_at_fault() -> usize {
    LOG.lock().noted_at_fault
}

/// Causes the event that is due before the next instruction.
fn inject() {
    let mut log = LOG.lock();
    let number = log.trace.instructions;
    match log.injection {
        Injection::Interrupts(at) if at.contains(&number) => interrupts::send_to(0),
        Injection::InterruptEverywhere => interrupts::send_to(0),
        Injection::Fault(at, handler) if at == number => {
            log.noted_at_fault = log.noted;
            drop(log);
            handler();
        }
        _ => {}
    }
}

/// Bits of op2 in a TLBI: it is odd for an address or a range, and bit 2 means "last level".
const ALL_LEVELS: u32 = 0b101 << 5;

/// Returns whether `word` is a TLBI: SYS with CRn = 8 (Arm ARM DDI 0487, "TLB maintenance").
fn is_tlbi(word: u32) -> bool {
    word & 0xfff8_f000 == 0xd508_8000
}

/// Returns whether a TLBI reaches other CPUs: CRm is then 3 or 2 (a range), and not 7 or 6.
fn is_broadcast(word: u32) -> bool {
    word >> 8 & 0b100 == 0
}

/// Returns whether `word` is TLBI VALE1IS, XZR or TLBI VALE2IS, XZR: at the last level and by an
/// address, with XZR in place of a register.
fn is_repeated_tlbi(word: u32) -> bool {
    word & 0xfff8_ffff == 0xd508_83bf
}

/// Returns whether `word` is BL or BLR.
fn is_call(word: u32) -> bool {
    word & 0xfc00_0000 == 0x9400_0000 || word & 0xffff_fc1f == 0xd63f_0000
}

/// Returns whether `word` is MRS.
fn is_register_read(word: u32) -> bool {
    word & 0xfff0_0000 == 0xd530_0000
}

/// Returns whether `word` is in the encoding group "Loads and Stores" (Arm ARM DDI 0487, the A64
/// encoding index): bit 27 is set, and bit 25 is clear.
fn is_load_or_store(word: u32) -> bool {
    word & 0x0a00_0000 == 0x0800_0000
}

impl Log {
    fn note(&mut self, step: Step) {
        if self.noted < CAPACITY {
            // SAFETY: the index is in bounds.
            let entry = unsafe { STEPS.0.get().cast::<Step>().add(self.noted) };
            // SAFETY: the program does not read while it is stepped.
            unsafe { entry.write(step) };
        }
        self.noted += 1;
    }

    /// Counts loads and atomics, and returns a step if the instruction stores to a watched table.
    fn access(
        &mut self,
        word: u32,
        state: &RegisterStateRef<'_>,
        saved: &CalleeSaved,
    ) -> Option<Step> {
        let mut instruction = Instruction::default();
        let bytes = word.to_le_bytes();
        if InstDecoder::default()
            .decode_into(&mut instruction, &mut U8Reader::new(&bytes))
            .is_err()
        {
            panic!("cannot decode {word:#010x} at {:#x}", state.elr);
        }
        let access = Access::of(instruction.opcode);
        self.trace.atomics += usize::from(access == Access::Atomic);
        self.trace.loads += usize::from(access == Access::Load);
        if access == Access::Load {
            return None;
        }
        let operand = instruction
            .operands
            .into_iter()
            .find_map(|operand| address(operand, state, saved))?;
        if !self.watched.contain(operand) {
            return None;
        }
        // One instruction stores a descriptor of 64 bits. An exclusive load counts for its pair.
        let whole = matches!(instruction.operands[0], Operand::Register(SizeCode::X, _));
        assert!(
            access != Access::Other && whole,
            "{word:#010x} changes the table entry at {operand:#x}, but is not a 64-bit store"
        );
        Some(Step::Store)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    Load,
    /// A store of one register.
    Store,
    /// An atomic read-modify-write, or half of one.
    Atomic,
    /// A store of several registers, or any other access.
    Other,
}

impl Access {
    fn of(opcode: Opcode) -> Self {
        use Opcode as O;
        match opcode {
            O::LDR
            | O::LDUR
            | O::LDP
            | O::LDNP
            | O::LDPSW
            | O::LDRB
            | O::LDRH
            | O::LDRSB
            | O::LDRSH
            | O::LDRSW
            | O::LDURB
            | O::LDURH
            | O::LDURSB
            | O::LDURSH
            | O::LDURSW
            | O::LDAR
            | O::LDARB
            | O::LDARH
            | O::PRFM
            | O::PRFUM => Self::Load,
            O::STR | O::STUR | O::STLR => Self::Store,
            O::LDSET(_)
            | O::LDCLR(_)
            | O::LDADD(_)
            | O::LDEOR(_)
            | O::SWP(_)
            | O::CAS(_)
            | O::LDSETB(_)
            | O::LDCLRB(_)
            | O::LDADDB(_)
            | O::LDEORB(_)
            | O::SWPB(_)
            | O::CASB(_)
            | O::LDXR
            | O::LDAXR
            | O::STXR
            | O::STLXR => Self::Atomic,
            _ => Self::Other,
        }
    }
}

/// Returns the address that a memory operand accesses, or `None` for other operands.
fn address(operand: Operand, state: &RegisterStateRef<'_>, saved: &CalleeSaved) -> Option<u64> {
    let register = |number: u16| register(number, state, saved);
    Some(match operand {
        Operand::RegPreIndex(base, offset, _) => {
            register(base)?.wrapping_add_signed(i64::from(offset))
        }
        Operand::RegPostIndex(base, _) | Operand::RegPostIndexReg(base, _) => register(base)?,
        Operand::RegRegOffset(base, index, size, extend, amount) => {
            // As an index, 31 is the zero register.
            let index = register(index).unwrap_or(0);
            let index = match (size, extend) {
                (_, ShiftStyle::UXTW) => index & 0xffff_ffff,
                (_, ShiftStyle::SXTW) => sign_extend_word(index),
                _ => index,
            };
            register(base)?.wrapping_add(index << amount)
        }
        _ => return None,
    })
}

/// Returns the lower 32 bits, sign-extended to 64 bits.
fn sign_extend_word(value: u64) -> u64 {
    (value << 32).cast_signed().wrapping_shr(32).cast_unsigned()
}

/// Returns the value of a general register. It is `None` for 31, the stack pointer, where there are
/// no tables. The frame pointer is x29, and the link register is x30.
fn register(number: u16, state: &RegisterStateRef<'_>, saved: &CalleeSaved) -> Option<u64> {
    match number {
        0..=18 => Some(state.registers[usize::from(number)]),
        19..=28 => Some(saved[usize::from(number) - 19]),
        29 => Some(state.fp),
        // The field that `aarch64-rt` calls the stack pointer holds x30.
        30 => Some(state.sp),
        _ => None,
    }
}

impl Trace {
    /// Returns whether the trace's order is `expected`, in the notation of [`Order`]. An empty
    /// `expected` accepts every order.
    pub fn is(&self, expected: &str) -> bool {
        use core::fmt::Write as _;

        // An order that does not fit is longer than every expected one.
        let mut order = ArrayString::<1024>::new();
        let fits = write!(order, "{}", self.order()).is_ok();
        expected.is_empty() || (fits && &order == expected)
    }

    /// Returns the order of the steps, for messages.
    pub fn order(&self) -> Order<'static> {
        Order(self.steps)
    }
}
