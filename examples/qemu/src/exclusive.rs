//! Exclusive accesses under the single-step handler: `ldxr` and `stxr` run without steps.
//!
//! An exception return clears the exclusive monitor (Arm ARM DDI 0487, "Exclusive access
//! instructions and the monitors"). A loop would never end if the handler stopped it between the
//! two. At the `ldxr`, the handler therefore switches stepping off. It sets breakpoints wherever
//! the code can leave the pair: behind the `stxr`, and at each branch target between the two.

use core::arch::asm;
use core::ptr::with_exposed_provenance;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use aarch64_cpu::registers::{MDSCR_EL1, ReadWriteable};

/// DBGBCR: enabled, for any instruction of the four bytes, at EL1 and above.
const ENABLED: u64 = 1 << 13 | 0xf << 5 | 1 << 1 | 1;

/// The longest pair, in instructions.
const LONGEST: usize = 16;

/// The address of the load of the pair that runs without steps.
static FIRST: AtomicUsize = AtomicUsize::new(0);

/// Returns whether `word` is LDXR or LDAXR, of any size.
pub fn is_load(word: u32) -> bool {
    word & 0x3fff_7c00 == 0x085f_7c00
}

/// Returns whether `word` is STXR or STLXR, of any size.
fn is_store(word: u32) -> bool {
    word & 0x3fe0_7c00 == 0x0800_7c00
}

/// Returns the instruction at `address`.
fn fetch(address: usize) -> u32 {
    let at: *const u32 = with_exposed_provenance(address);
    // SAFETY: the CPU is about to execute the instruction at this address.
    unsafe { at.read() }
}

/// Returns the target of a direct branch at `address`.
fn branch(word: u32, address: usize) -> Option<usize> {
    // The position of the offset's lowest bit in the instruction, and its number of bits.
    let (low, bits) = match word {
        _ if word & 0xff00_0010 == 0x5400_0000 => (5, 19), // B.cond
        _ if word & 0x7e00_0000 == 0x3400_0000 => (5, 19), // CBZ, CBNZ
        _ if word & 0x7e00_0000 == 0x3600_0000 => (5, 14), // TBZ, TBNZ
        _ if word & 0xfc00_0000 == 0x1400_0000 => (0, 26), // B
        _ => return None,
    };
    let offset = (word << (32 - low - bits)).cast_signed() >> (32 - bits);
    Some(address.wrapping_add_signed(4 * offset as isize))
}

/// Switches stepping off until the code leaves the pair whose load is at `first`.
pub fn run_through(first: usize) {
    let mut exits = [0; 4];
    let mut found = 0;
    let mut exit = |address| {
        exits[found] = address;
        found += 1;
    };
    let mut address = first + 4;
    loop {
        let word = fetch(address);
        if is_store(word) {
            exit(address + 4);
            break;
        }
        if let Some(target) = branch(word, address) {
            exit(target);
        }
        address += 4;
        assert!(
            address < first + 4 * LONGEST,
            "no exclusive store behind the load at {first:#x}"
        );
    }
    FIRST.store(first, Relaxed);
    set_breakpoints(exits, ENABLED);
    MDSCR_EL1.modify(MDSCR_EL1::SS::CLEAR + MDSCR_EL1::MDE::SET);
}

/// Switches stepping on again, because the code has left the pair to `address`.
///
/// Returns the number of instructions that the pair had, if the code branched over none of them.
pub fn left(address: usize) -> usize {
    set_breakpoints([0; 4], 0);
    MDSCR_EL1.modify(MDSCR_EL1::SS::SET + MDSCR_EL1::MDE::CLEAR);
    let first = FIRST.load(Relaxed);
    address.saturating_sub(first) / 4
}

/// Sets a breakpoint with `control` at each address, and disables it where the address is 0.
fn set_breakpoints(addresses: [usize; 4], control: u64) {
    let control = addresses.map(|it| if it == 0 { 0 } else { control });
    // SAFETY: the breakpoint handler restores all registers, and returns.
    unsafe {
        asm!(
            "msr dbgbcr0_el1, {c0}", "msr dbgbcr1_el1, {c1}",
            "msr dbgbcr2_el1, {c2}", "msr dbgbcr3_el1, {c3}",
            "msr dbgbvr0_el1, {a0}", "msr dbgbvr1_el1, {a1}",
            "msr dbgbvr2_el1, {a2}", "msr dbgbvr3_el1, {a3}",
            "isb",
            c0 = in(reg) control[0], c1 = in(reg) control[1],
            c2 = in(reg) control[2], c3 = in(reg) control[3],
            a0 = in(reg) addresses[0], a1 = in(reg) addresses[1],
            a2 = in(reg) addresses[2], a3 = in(reg) addresses[3],
            options(nostack, preserves_flags)
        );
    }
}
