//! The harts: the memory of each, and its number.

use core::arch::asm;
use core::ptr::{from_ref, with_exposed_provenance};
use core::sync::atomic::{
    AtomicBool, AtomicU32, AtomicU64, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};

use lazy_mmu::riscv64::local_fence;

/// The most harts of a machine. Their numbers begin at 0.
pub const HARTS: usize = 8;

/// The memory of a hart, to which `sscratch` points. It is in the image, so each hart may access it
/// at any time.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Hart {
    /// Whether entries have become valid since the fence at a trap ([`OnFault`]).
    ///
    /// [`OnFault`]: lazy_mmu::riscv64::OnFault
    pub(crate) new_mappings: AtomicU32,
    /// A register that the trap vector saves before it has a stack.
    pub(crate) scratch: AtomicU64,
    /// The number of fences that other harts have asked for by interrupt.
    asked: AtomicUsize,
    /// How many of these the hart has executed.
    fenced: AtomicUsize,
    /// Whether the hart is asked to call a function.
    pub(crate) is_called: AtomicBool,
}

impl Hart {
    const fn new() -> Self {
        Self {
            new_mappings: AtomicU32::new(0),
            scratch: AtomicU64::new(0),
            asked: AtomicUsize::new(0),
            fenced: AtomicUsize::new(0),
            is_called: AtomicBool::new(false),
        }
    }

    /// Asks the hart for a fence, and returns its number. An interrupt must follow.
    pub(crate) fn ask(&self) -> usize {
        self.asked.fetch_add(1, Release) + 1
    }

    /// Returns whether the hart has executed this fence.
    pub(crate) fn has_fenced(&self, number: usize) -> bool {
        self.fenced.load(Acquire) >= number
    }

    /// Executes the fences that other harts have asked this hart for.
    ///
    /// Not inlined, because the fence is then in one place, and a test can remove it.
    #[inline(never)]
    pub(crate) fn answer(&self) {
        let asked = self.asked.load(Acquire);
        if self.fenced.load(Relaxed) < asked {
            local_fence();
            self.fenced.store(asked, Release);
        }
    }
}

/// The memory of all harts.
pub(crate) static ALL: [Hart; HARTS] = [const { Hart::new() }; HARTS];

/// Prepares the running hart, before its first trap.
pub(crate) fn init(number: usize) {
    let address = from_ref(&ALL[number]).expose_provenance();
    // SAFETY: only the kernel uses the register.
    unsafe { asm!("csrw sscratch, {}", in(reg) address, options(nostack)) };
}

/// Returns the memory of the running hart. The caller masks interrupts, if it may migrate.
pub(crate) fn this() -> &'static Hart {
    let address: usize;
    // SAFETY: the instruction reads a register.
    unsafe { asm!("csrr {}, sscratch", out(reg) address, options(nomem, nostack)) };
    let hart: *const Hart = with_exposed_provenance(address);
    // SAFETY: `init` has loaded the register with the address of a static.
    unsafe { &*hart }
}

/// Returns the number of the running hart. In a thread that may migrate, the number is of use only
/// while interrupts are masked.
pub fn number() -> usize {
    let offset = from_ref(this()).addr() - ALL.as_ptr().addr();
    offset / size_of::<Hart>()
}
