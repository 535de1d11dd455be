//! Several harts, which the SBI starts, and which use the same tables.

use core::arch::naked_asm;
use core::sync::atomic::{
    AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};

use lazy_mmu::Invalidation;
use lazy_mmu::riscv64::{Harts, Sbi};
use sbi_rt::{HartMask, hart_get_status, hart_start, send_ipi};
use spin::mutex::SpinMutex;

use crate::boot::Stack;
use crate::thread::Thread;
use crate::{interrupts, traps};

/// The most harts of a machine. Their numbers begin at 0.
pub const HARTS: usize = 8;

static THREADS: [Thread; HARTS] = [const { Thread::new() }; HARTS];
static STACKS: [Stack; HARTS] = [const { Stack::new() }; HARTS];

/// The hart on which `main` runs. The firmware chooses it.
static FIRST: AtomicUsize = AtomicUsize::new(0);
/// The number of the other harts that are ready.
static READY: AtomicUsize = AtomicUsize::new(0);

/// Prepares the first hart.
pub(crate) fn init(hart: usize) {
    FIRST.store(hart, Relaxed);
    THREADS[hart].set_current();
}

/// Returns the numbers of the other harts that the machine has.
pub fn others() -> impl Iterator<Item = usize> {
    let first = FIRST.load(Relaxed);
    (0..HARTS).filter(move |&it| it != first && hart_get_status(it).is_ok())
}

/// Starts the other harts. They wait for requests ([`on_others`]). Returns their number.
pub fn start() -> usize {
    for hart in others() {
        let start = start_hart as *const () as usize;
        let started = hart_start(hart, start, STACKS[hart].top());
        assert!(started.is_ok(), "hart {hart} does not start: {started:?}");
    }
    let number = others().count();
    while READY.load(Acquire) < number {
        core::hint::spin_loop();
    }
    number
}

/// The first instructions of another hart. The firmware passes the number of the hart in `a0`, and
/// the end of its stack in `a1`. The stack pointer is set first, as in the code of the first hart.
#[unsafe(naked)]
extern "C" fn start_hart() -> ! {
    naked_asm!("mv sp, a1", "j {main}", main = sym main)
}

extern "C" fn main(hart: usize) -> ! {
    traps::init();
    THREADS[hart].set_current();
    interrupts::init();
    READY.fetch_add(1, Release);
    loop {
        riscv::asm::wfi();
    }
}

/// A function that the other harts call, with its argument.
#[derive(Clone, Copy)]
struct Request {
    function: fn(u64),
    argument: u64,
}

static REQUEST: SpinMutex<Option<Request>> = SpinMutex::new(None);
/// The number of harts that have not finished the request.
static LEFT: AtomicUsize = AtomicUsize::new(0);

/// Calls `function` on each of the other harts that are started, and waits for them.
///
/// Only the first hart calls this.
pub fn on_others(function: fn(u64), argument: u64) {
    let number = READY.load(Acquire);
    if number == 0 {
        return;
    }
    *REQUEST.lock() = Some(Request { function, argument });
    LEFT.store(number, Release);
    for hart in others() {
        let sent = send_ipi(HartMask::from_mask_base(1, hart));
        assert!(sent.is_ok(), "hart {hart} takes no interrupt: {sent:?}");
    }
    while LEFT.load(Acquire) != 0 {
        core::hint::spin_loop();
    }
}

/// Handles the interrupt of a request.
pub(crate) fn on_request() {
    let request = *REQUEST.lock();
    if let Some(Request { function, argument }) = request {
        function(argument);
        LEFT.fetch_sub(1, Release);
    }
}

/// The firmware fences the other harts, once they are started.
#[derive(Debug)]
pub struct OtherHarts;

// SAFETY: `Sbi` reaches all harts. Before the first of them starts, there is only this one.
unsafe impl Harts for OtherHarts {
    fn fence() {
        if READY.load(Relaxed) != 0 {
            Sbi::fence();
        }
    }

    fn invalidate(invalidations: &[Invalidation]) {
        if READY.load(Relaxed) != 0 {
            Sbi::invalidate(invalidations);
        }
    }

    fn invalidate_all() {
        if READY.load(Relaxed) != 0 {
            Sbi::invalidate_all();
        }
    }
}
