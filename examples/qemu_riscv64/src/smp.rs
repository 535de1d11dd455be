//! Several harts, which the SBI starts, and which use the same tables.

use core::sync::atomic::{
    AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};

use sbi_rt::{hart_get_status, hart_start};
use spin::Once;
use spin::mutex::SpinMutex;

use crate::hart::{self, HARTS};
use crate::thread_info::{ThreadInfo, set_current};
use crate::{boot, interrupts, policy, traps};

static THREADS: [ThreadInfo; HARTS] = [const { ThreadInfo::new() }; HARTS];

/// The hart on which `main` runs. The firmware chooses it.
static FIRST: AtomicUsize = AtomicUsize::new(0);
/// The number of the other harts that are ready.
static READY: AtomicUsize = AtomicUsize::new(0);

/// The number of harts of a program with a [scheduler](crate::scheduler).
pub const CPUS: usize = 4;

pub use crate::hart::number as cpu;
/// Lets other harts go on, in a loop that waits for one of them.
pub use core::hint::spin_loop as relax;
/// A lock waits by [`relax`].
pub use spin::relax::Spin as Relax;

/// Prepares the first hart.
pub(crate) fn init(hart: usize) {
    FIRST.store(hart, Relaxed);
    set_current([&THREADS[hart]]);
    hart::init(hart);
}

/// Returns the number of the first hart.
pub fn first() -> usize {
    FIRST.load(Relaxed)
}

/// Returns the numbers of the other harts that the machine has.
pub fn others() -> impl Iterator<Item = usize> {
    let first = FIRST.load(Relaxed);
    (0..HARTS).filter(move |&it| it != first && hart_get_status(it).is_ok())
}

/// Starts the other harts. They wait for requests ([`on_others`]). Returns their number.
pub fn start() -> usize {
    for hart in others() {
        let started = hart_start(hart, boot::start as *const () as usize, 0);
        assert!(started.is_ok(), "hart {hart} does not start: {started:?}");
    }
    let number = others().count();
    while READY.load(Acquire) < number {
        core::hint::spin_loop();
    }
    if number > 0 {
        policy::started(others().fold(1 << hart::number(), |set, it| set | 1 << it));
    }
    number
}

/// Each of the other harts runs this.
pub(crate) extern "C" fn main(hart: usize) -> ! {
    set_current([&THREADS[hart]]);
    hart::init(hart);
    traps::init();
    interrupts::init();
    READY.fetch_add(1, Release);
    loop {
        riscv::asm::wfi();
        if let Some(work) = WORK.get() {
            work();
        }
    }
}

/// What the other harts run in the end.
static WORK: Once<fn() -> !> = Once::new();

/// Lets each of the other harts run `work`, outside of interrupts.
pub fn run_on_others(work: fn() -> !) {
    WORK.call_once(|| work);
    for hart in others() {
        interrupts::send_to(hart);
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
        hart::ALL[hart].is_called.store(true, Release);
        interrupts::send_to(hart);
    }
    while LEFT.load(Acquire) != 0 {
        core::hint::spin_loop();
    }
}

/// Handles an interrupt, which may be that of a request.
pub(crate) fn on_request() {
    if !hart::this().is_called.swap(false, Acquire) {
        return;
    }
    let request = *REQUEST.lock();
    if let Some(Request { function, argument }) = request {
        function(argument);
        LEFT.fetch_sub(1, Release);
    }
}
