//! The contract between the crate and a kernel.
//!
//! Separate from the backends that the crate ships, because this is the one file that a kernel's author must read.

use core::sync::atomic::AtomicU64;

use crate::bits::Storage;
use crate::raw::Kind;
use crate::tlb::Tlbi;

/// What the crate has to know of a kernel: where the current thread's bits are, whether this is an interrupt, and the
/// barrier (which on aarch64 is given).
///
/// Everything is generic over the backend and inlined; the type has no values. A kernel that keeps its bits in
/// the structure to which `SP_EL0` or `TPIDR_EL1` points need not implement this: [`aarch64`](crate::aarch64) does.
///
/// ```
/// use core::ptr::NonNull;
/// use core::sync::atomic::AtomicU8;
/// use lazy_mmu::{Backend, OwnByte};
///
/// static BITS: AtomicU8 = AtomicU8::new(0);
///
/// /// A kernel with one thread, which never opens a section in an interrupt.
/// struct Single;
///
/// // SAFETY: there is one thread and no interrupt handler, so `BITS` is the current thread's, and nobody else's.
/// unsafe impl Backend for Single {
///     type Storage = OwnByte;
///
///     fn current() -> OwnByte {
///         // SAFETY: a static is valid forever, and only this backend knows it.
///         unsafe { OwnByte::from_ptr(NonNull::from(&BITS)) }
///     }
///
///     fn in_interrupt() -> bool {
///         false
///     }
///
///     # #[cfg(not(target_arch = "aarch64"))]
///     fn barrier() {
///         // Off aarch64: whatever this machine needs.
///     }
/// }
/// # lazy_mmu::with::<Single, _>(|mmu| mmu.note_store());
/// ```
///
/// # Safety
///
/// An implementation is trusted with every barrier. Its author promises:
///
/// * [`current`](Self::current) returns the bits of the thread that calls it, the same place all the thread's
///   life, wherever it runs and whatever handler has interrupted it; each thread has bits of its own, which are
///   clear when the thread starts, though its parent be in a section.
/// * Backends whose `current` returns the same place have the same hooks
///   ([`mode_begins`](Self::mode_begins), [`mode_ends`](Self::mode_ends)): one may end the mode
///   that the other has begun, and would call its own hook for that.
/// * The handle stays usable as long as the thread lives, and [`Storage`] is kept as its documentation says.
/// * [`in_interrupt`](Self::in_interrupt) is true in every context that has preempted a thread without being
///   one: interrupt, softirq, NMI. It may be true in more (a thread that has disabled softirqs), never in less.
/// * [`barrier`](Self::barrier) completes every earlier store of this thread to a translation table, as
///   the hardware walker sees it, and makes later instructions of this thread see that; and the compiler moves
///   no memory access over it.
/// * A context switch executes two barriers. The CPU that gives a thread up executes `dsb ish`
///   (Linux, arm64: `__switch_to`) after the thread's last store and before another CPU may run it:
///   the thread may execute its pair on that other CPU, where the pair does not complete the
///   stores, or the TLB invalidations, of the first. The CPU that takes the thread over executes a
///   context synchronization event after it has taken it: `isb`, or an exception return that is
///   one. The thread may have executed its pair, and used its mapping, on the first CPU; the second
///   may have fetched the thread's next instructions before that, and they may fault (without
///   FEAT_ETS2). A TLB invalidation alone needs no such event.
/// * [`table_barrier`](Self::table_barrier), [`tlb_invalidate`](Self::tlb_invalidate) and
///   [`tlb_barrier`](Self::tlb_barrier) do what they say, and the compiler moves no memory access over them. The first and
///   the last together do at least what [`barrier`](Self::barrier) does: who implements that one in another way implements
///   these too.
/// * None of the methods, nor those of the [`Storage`], unwinds, opens a section, or stores through
///   this crate.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a lazy MMU backend",
    label = "no `Backend`",
    note = "a kernel's is `aarch64::Aarch64<Kernel>`, the hosted one `sim::Sim`, the program's registered one `Global`"
)]
pub unsafe trait Backend: 'static {
    /// Where and how the bits are kept.
    type Storage: Storage;

    /// The bits of the current thread; in a handler, those of the thread that it interrupted.
    fn current() -> Self::Storage;

    /// Whether this is an interrupt: sections are inert, every store is followed by its pair at once.
    ///
    /// A synchronous exception is not one: its handler runs on behalf of the thread (see [`raw`](crate::raw)).
    fn in_interrupt() -> bool;

    /// The barrier pair: `dsb ishst; isb`.
    ///
    /// `dsb ishst` completes the earlier stores of this CPU, for the walkers of all CPUs in the Inner Shareable domain;
    /// `isb` makes the instructions that follow be fetched anew, so that none of them has walked before that
    /// (Arm ARM DDI 0487, "Ordering of memory accesses from translation table walks"; Linux, arm64:
    /// `emit_pte_barriers`).
    #[cfg(target_arch = "aarch64")]
    #[inline]
    fn barrier() {
        crate::aarch64::barrier_pair();
    }

    /// The barrier pair, or what stands for it on this machine.
    #[cfg(not(target_arch = "aarch64"))]
    fn barrier();

    /// `dsb ishst`: the first half of the pair, alone.
    ///
    /// It completes the earlier stores to tables before what follows: the store that links a table, or a TLB
    /// invalidation. The default off aarch64 is the whole [`barrier`](Self::barrier).
    #[inline]
    fn table_barrier() {
        #[cfg(target_arch = "aarch64")]
        crate::aarch64::table_barrier();
        #[cfg(not(target_arch = "aarch64"))]
        Self::barrier();
    }

    /// Executes one TLB invalidation instruction, of the kernel's own regime, for the Inner Shareable domain.
    ///
    /// [`tlb_barrier`](Self::tlb_barrier) completes it. The default is for EL1&0, and for EL2&0 on a host with FEAT_VHE and
    /// HCR_EL2.{E2H, TGE} = {1, 1}, where the same instructions mean that regime; off aarch64 it does nothing, as for a
    /// machine without a TLB.
    #[inline]
    fn tlb_invalidate(instruction: Tlbi) {
        #[cfg(target_arch = "aarch64")]
        crate::aarch64::tlb_invalidate(crate::aarch64::Regime::El1And0, instruction);
        #[cfg(not(target_arch = "aarch64"))]
        let _ = instruction;
    }

    /// Completes TLB invalidations on every CPU, and makes later instructions of this one see that:
    /// `dsb ish`, and `isb`; between them one more TLBI and `dsb ish`, for the CPUs that need it
    /// ([`aarch64::tlb_barrier`]).
    ///
    /// The default is for EL1&0, with the repeated TLBI; off aarch64 it is
    /// [`barrier`](Self::barrier).
    ///
    /// [`aarch64::tlb_barrier`]: crate::aarch64::tlb_barrier
    #[inline]
    fn tlb_barrier() {
        #[cfg(target_arch = "aarch64")]
        crate::aarch64::tlb_barrier(crate::aarch64::Regime::El1And0, true);
        #[cfg(not(target_arch = "aarch64"))]
        Self::barrier();
    }

    /// Whether every CPU has the TLB range instructions (FEAT_TLBIRANGE, Armv8.4).
    #[inline]
    fn has_tlb_range() -> bool {
        false
    }

    /// Whether [`mode_begins`](Self::mode_begins) and [`mode_ends`](Self::mode_ends) are to be called.
    const HAS_HOOKS: bool = false;

    /// Called, if [`HAS_HOOKS`](Self::HAS_HOOKS) is true, just before stores begin to be deferred on this thread: the
    /// outermost section is entered, or the pause of one ends. To disable preemption, say. Sections that are inert do not
    /// call it, so those of interrupt handlers do not.
    ///
    /// Each call is followed by one of [`mode_ends`](Self::mode_ends), on every way out: leave,
    /// early return, pause, panic. If the guard was forgotten, the mode ends when the
    /// [handle](crate::Task) is used next. Between the two calls the mode is on; a synchronous
    /// exception handler that opens a section of its own just then may call both in between, so a
    /// hook counts, as a preempt count does.
    #[inline]
    fn mode_begins() {}

    /// Called, if [`HAS_HOOKS`](Self::HAS_HOOKS) is true, just after stores have ceased to be deferred on this thread: the
    /// outermost section is left, or paused, and what was pending has had its pair.
    #[inline]
    fn mode_ends() {}

    /// Called for what no other method shows: stores, and where sections begin and end.
    ///
    /// For tests and tracing; what [`sim`](crate#features) records. Through [`Global`](crate::Global) it is called with the
    /// feature `sim` only. The default does nothing and compiles to nothing.
    /// The bits are already changed, the barrier already executed, when a call reports it.
    #[inline]
    fn observe(event: Event) {
        let _ = event;
    }

    /// [`current`](Self::current) and [`in_interrupt`](Self::in_interrupt) in one, for a backend to which each
    /// call costs.
    #[doc(hidden)]
    #[inline]
    fn context() -> (Self::Storage, bool) {
        (Self::current(), Self::in_interrupt())
    }
}

/// What [`Backend::observe`] is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A descriptor was stored through the crate.
    Store {
        /// The 64-bit entry that was written.
        slot: *const AtomicU64,
        /// The descriptor's bits.
        value: u64,
    },
    /// A section was entered.
    Enter(Kind),
    /// A section was left, and its barriers, if any were due, have been executed.
    Leave(Kind),
    /// The mode was paused, and what was pending has been emitted.
    Pause(Kind),
    /// A pause ended. One that changed nothing (nested in another, or in an interrupt) is not reported.
    Resume(Kind),
}

/// Passes the methods of a [`Backend`] that are the machine's on to another backend: barriers, TLB
/// invalidation, `observe`. For a backend that differs from it in the place of its bits, or in its
/// interrupt test.
///
/// The hooks are not passed on. A backend that shares the other's bits has the other's hooks too:
/// see the trait's duties.
///
/// ```
/// use lazy_mmu::sim::{Flags, Sim};
/// use lazy_mmu::{Backend, forward_machine};
///
/// /// `Sim`, in which every context counts as an interrupt.
/// struct AlwaysInterrupted;
///
/// // SAFETY: everything else is `Sim`'s, and the test may be true in more contexts than interrupts.
/// unsafe impl Backend for AlwaysInterrupted {
///     type Storage = Flags;
///
///     fn current() -> Flags {
///         Sim::current()
///     }
///
///     fn in_interrupt() -> bool {
///         true
///     }
///
///     forward_machine!(Sim);
/// }
/// # lazy_mmu::with::<AlwaysInterrupted, _>(|mmu| mmu.note_store());
/// ```
#[macro_export]
macro_rules! forward_machine {
    ($backend:ty) => {
        #[inline]
        fn barrier() {
            <$backend as $crate::Backend>::barrier();
        }

        #[inline]
        fn table_barrier() {
            <$backend as $crate::Backend>::table_barrier();
        }

        #[inline]
        fn tlb_invalidate(instruction: $crate::tlb::Tlbi) {
            <$backend as $crate::Backend>::tlb_invalidate(instruction);
        }

        #[inline]
        fn tlb_barrier() {
            <$backend as $crate::Backend>::tlb_barrier();
        }

        #[inline]
        fn has_tlb_range() -> bool {
            <$backend as $crate::Backend>::has_tlb_range()
        }

        #[inline]
        fn observe(event: $crate::Event) {
            <$backend as $crate::Backend>::observe(event);
        }
    };
}
