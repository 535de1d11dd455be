//! How the harts reach each other, which a program may choose: the firmware, the kernel's own
//! interrupt, or a fence on fault.
//!
//! A hart that keeps an invalid entry faults at the access, and the entry code of the trap fences.
//! An emulated hart does not keep invalid entries, so the fault of [`Policy::OnFault`] does not
//! come by itself. Where a fault is possible, a program therefore raises a breakpoint exception
//! before the access ([`may_fault_next`]). The exception goes through the same entry code as the
//! fault. The observer then judges whether that code, and nothing else, makes the access right.

use core::sync::atomic::{AtomicU8, AtomicU32, AtomicUsize, Ordering::Relaxed};

use lazy_mmu::Invalidation;
use lazy_mmu::riscv64::{HartFlags, Harts, OnFault, Sbi, local_fence};
use sbi_rt::{HartMask, send_ipi};

use crate::hart::{self, HARTS, Hart};
use crate::tasks::masked;
use crate::traps;

/// How a hart reaches the others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Policy {
    /// The firmware interrupts the other harts.
    Sbi,
    /// The kernel interrupts the other harts, and waits for their fences.
    Interrupt,
    /// The other harts fence when they take a trap. The firmware reaches them for an invalidation.
    OnFault,
}

static POLICY: AtomicU8 = AtomicU8::new(Policy::Sbi as u8);
/// A bit for each hart that is started, also the first one. It is 0 while there is only one.
static STARTED: AtomicUsize = AtomicUsize::new(0);

impl Policy {
    /// Chooses the policy. Until then it is [`Sbi`](Self::Sbi).
    pub fn choose(self) {
        POLICY.store(self as u8, Relaxed);
    }

    /// Returns the chosen policy.
    pub fn current() -> Self {
        match POLICY.load(Relaxed) {
            0 => Self::Sbi,
            1 => Self::Interrupt,
            _ => Self::OnFault,
        }
    }
}

/// From now on, the harts in this set are reached.
pub(crate) fn started(harts: usize) {
    STARTED.store(harts, Relaxed);
}

fn is_alone() -> bool {
    STARTED.load(Relaxed) == 0
}

/// The flags of [`Policy::OnFault`].
#[derive(Debug)]
pub struct Flags;

// SAFETY: each hart has one flag, in the image, which is always mapped. Only the crate and the trap
// vector change it.
unsafe impl HartFlags for Flags {
    fn for_each(set: impl FnMut(&AtomicU32)) {
        hart::ALL.iter().map(|it| &it.new_mappings).for_each(set);
    }

    fn this_hart() -> &'static AtomicU32 {
        &hart::this().new_mappings
    }
}

type Fault = OnFault<Flags, Sbi>;

/// Executes the fence of [`Policy::OnFault`], if entries have become valid since the last one.
pub(crate) fn check() {
    // SAFETY: interrupts are masked.
    masked(|| unsafe { Fault::check() });
}

/// Interrupts the other harts, and waits until each has fenced everything.
///
/// This hart fences too, because the thread may have come from another hart since its last fence.
/// While it waits, it answers the requests of others, whose interrupts are masked here.
fn interrupt_others() {
    masked(|| {
        let this = hart::this();
        local_fence();
        let others = STARTED.load(Relaxed) & !(1 << hart::number());
        let is_other = |number: &usize| others >> number & 1 != 0;
        let mut asked = [0; HARTS];
        for number in (0..HARTS).filter(is_other) {
            asked[number] = hart::ALL[number].ask();
        }
        let sent = send_ipi(HartMask::from_mask_base(others, 0));
        assert!(sent.is_ok(), "the harts take no interrupt: {sent:?}");
        let has_fenced = |number: usize| Hart::has_fenced(&hart::ALL[number], asked[number]);
        while !(0..HARTS).filter(is_other).all(has_fenced) {
            this.answer();
        }
    });
}

/// The other harts, by the chosen policy.
///
/// Its methods are not inlined. Each fence is then in one place, and a test can remove it.
#[derive(Debug)]
pub struct OtherHarts;

// SAFETY: each policy reaches all harts, also this one if the caller has migrated. Before the other
// harts are started, there is only this one. The trap vector and the scheduler check the flags of
// `OnFault`, and the handler of page faults repairs a spurious one. An invalidation by interrupt
// fences everything, which includes the ranges.
unsafe impl Harts for OtherHarts {
    #[inline(never)]
    fn fence() {
        match Policy::current() {
            _ if is_alone() => {}
            Policy::Sbi => Sbi::fence(),
            Policy::Interrupt => interrupt_others(),
            Policy::OnFault => Fault::fence(),
        }
    }

    #[inline(never)]
    fn invalidate(invalidations: &[Invalidation]) {
        match Policy::current() {
            _ if is_alone() => {}
            Policy::Sbi => Sbi::invalidate(invalidations),
            Policy::Interrupt => interrupt_others(),
            Policy::OnFault => Fault::invalidate(invalidations),
        }
    }

    #[inline(never)]
    fn invalidate_all() {
        match Policy::current() {
            _ if is_alone() => {}
            Policy::Sbi => Sbi::invalidate_all(),
            Policy::Interrupt => interrupt_others(),
            Policy::OnFault => Fault::invalidate_all(),
        }
    }
}

/// Returns whether entries have become valid since a hart's last fence for [`Policy::OnFault`].
pub fn has_new_mappings(hart: usize) -> bool {
    hart::ALL[hart].new_mappings.load(Relaxed) != 0
}

/// Takes the exception in the place of a page fault, if the policy is [`Policy::OnFault`].
///
/// The next access uses a mapping for which this hart may not have fenced: another hart has made
/// it, or the thread has come from another hart since its own fence.
pub fn may_fault_next() {
    if Policy::current() == Policy::OnFault {
        traps::take_exception(|| ());
    }
}
