//! The contract between the crate and a kernel: the thread's bits, and the machine's barriers.
//!
//! It names no architecture's instruction. This is the one file that a kernel's author must read.

use super::bits::Storage;
use super::event::Event;
use super::range::Invalidation;

/// What the crate must know of a kernel: where the current thread's bits are, whether the CPU is in
/// an interrupt, and the [machine](Machine) with its barriers.
///
/// Everything is generic over the backend and inlined; the type has no values. A kernel that keeps
/// its bits in the structure to which a register points need not implement this:
/// [`aarch64`](crate::aarch64) does.
///
/// ```
/// use core::ptr::NonNull;
/// use core::sync::atomic::AtomicU8;
/// use lazy_mmu::{Backend, OwnByte};
/// # use lazy_mmu::sim::Sim as El1;
///
/// static BITS: AtomicU8 = AtomicU8::new(0);
///
/// /// A kernel with one thread, which never opens a section in an interrupt.
/// struct Single;
///
/// // SAFETY: there is one thread and no interrupt handler, so `BITS` is the current thread's, and
/// // nobody else's.
/// unsafe impl Backend for Single {
///     type Storage = OwnByte;
///     type Machine = El1; // `lazy_mmu::aarch64::El1`, for example
///
///     fn current() -> OwnByte {
///         // SAFETY: a static is valid forever, and only this backend knows it.
///         unsafe { OwnByte::from_ptr(NonNull::from(&BITS)) }
///     }
///
///     fn in_interrupt() -> bool {
///         false
///     }
/// }
/// # lazy_mmu::with::<Single, _>(|mmu| mmu.note_store());
/// ```
///
/// # Safety
///
/// An implementation is trusted with every barrier. Its author promises:
///
/// * [`current`](Self::current) returns the bits of the thread that calls it, wherever it runs and
///   whatever handler has interrupted it. Each thread has bits of its own, which are clear when the
///   thread starts, though its parent be in a section.
/// * The place stays the thread's from the call of `current` until its result is no longer used: as
///   long as a section, a pause or a handle of the thread lives. (A place of the CPU, whose
///   contents the scheduler swaps, is the thread's as long as the thread cannot be moved to another
///   CPU.)
/// * Backends whose `current` returns the same place have the same hooks
///   ([`mode_begins`](Self::mode_begins), [`mode_ends`](Self::mode_ends)): one may end the mode
///   that the other has begun, and would call its own hook for that.
/// * [`Storage`] is kept as its documentation says.
/// * [`in_interrupt`](Self::in_interrupt) is true in every context that has preempted a thread
///   without being one: interrupt, softirq, NMI. It may be true in more (a thread that has disabled
///   softirqs), never in less.
/// * A context switch executes two barriers. The CPU that gives a thread up executes the barrier
///   that completes its stores, and its TLB invalidations, on all CPUs (aarch64: `dsb ish`; Linux:
///   `__switch_to`) after the thread's last store and before another CPU may run it: the thread may
///   execute its pair on that other CPU, where the pair does not complete what the first CPU did.
///   The CPU that takes the thread over synchronizes its context after it has taken it (aarch64:
///   `isb`, or an exception return that is one). The thread may have executed its pair, and used
///   its mapping, on the first CPU; the second may have fetched the thread's next instructions
///   before that, and they may fault (without FEAT_ETS2). A TLB invalidation alone needs no such
///   event.
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

    /// The barriers, and the TLB invalidation.
    type Machine: Machine;

    /// The bits of the current thread; in a handler, those of the thread that it interrupted.
    fn current() -> Self::Storage;

    /// Whether the CPU is in an interrupt: sections are inert, and every store is followed by its
    /// pair at once.
    ///
    /// A synchronous exception is not an interrupt: its handler runs on behalf of the thread (see
    /// [`raw`](crate::raw)).
    fn in_interrupt() -> bool;

    /// Whether [`mode_begins`](Self::mode_begins) and [`mode_ends`](Self::mode_ends) are called.
    const HAS_HOOKS: bool = false;

    /// Called, if [`HAS_HOOKS`](Self::HAS_HOOKS) is true, just before stores begin to be deferred
    /// on this thread: the outermost section is entered, or the pause of one ends. For example to
    /// disable preemption. Inert sections do not call it, so those of interrupt handlers do not.
    ///
    /// Each call is followed by one of [`mode_ends`](Self::mode_ends), on every way out: leave,
    /// early return, pause, panic. If the guard was forgotten, the mode ends when the
    /// [handle](crate::Task) is used next. Between the two calls the mode is on; a synchronous
    /// exception handler that opens a section of its own just then may call both in between, so a
    /// hook counts, as a preempt count does.
    #[inline]
    fn mode_begins() {}

    /// Called, if [`HAS_HOOKS`](Self::HAS_HOOKS) is true, just after stores have ceased to be
    /// deferred on this thread: the outermost section is left, or paused, and the pending pair has
    /// been emitted.
    #[inline]
    fn mode_ends() {}

    /// [`current`](Self::current) and [`in_interrupt`](Self::in_interrupt) in one, for a backend to
    /// which each call costs.
    #[doc(hidden)]
    #[inline]
    fn context() -> (Self::Storage, bool) {
        (Self::current(), Self::in_interrupt())
    }
}

/// The barriers and the TLB invalidation of a machine.
///
/// Ready-made ones: [`aarch64::Aarch64`](crate::aarch64::Aarch64) of a kernel's configuration,
/// [`aarch64::El1`](crate::aarch64::El1), [`sim::Sim`](crate#features). A kernel whose CPUs tell
/// each other of invalidations by interprocessor interrupt implements its own.
/// [`Wrapped`](crate::Wrapped) changes one method of a backend.
///
/// # Safety
///
/// * [`barrier`](Self::barrier) completes every earlier store of this thread to a translation
///   table, as the hardware walker sees it, and makes later instructions of this thread see that.
/// * [`table_barrier`](Self::table_barrier) completes the same stores before the next store.
/// * [`invalidate`](Self::invalidate) and [`invalidate_all`](Self::invalidate_all) begin with what
///   `table_barrier` does. They return when no CPU (of a range on this CPU: not this CPU) uses
///   the old translations, and when all accesses through them are complete. They do at least what
///   `barrier` does.
/// * The compiler moves no memory access over any of them.
/// * None of them unwinds, opens a section, or stores through this crate.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a machine with barriers",
    label = "no `Machine`",
    note = "those of a kernel are `aarch64::Aarch64<Kernel>` and `aarch64::El1`, the hosted one is `sim::Sim`"
)]
pub unsafe trait Machine: 'static {
    /// The barrier pair: on aarch64 `dsb ishst; isb`.
    fn barrier();

    /// What orders the stores that fill a table before the store that links it: on aarch64 `dsb
    /// ishst`, the first half of the pair.
    fn table_barrier();

    /// Removes translations from the TLBs: one sequence for all of `invalidations`.
    ///
    /// It may remove more than it is asked for.
    fn invalidate(invalidations: &[Invalidation]);

    /// Removes all translations of the kernel's regime from the TLBs of all CPUs.
    fn invalidate_all();

    /// Called for what no other method shows: stores, and where sections begin and end.
    ///
    /// For tests and tracing; [`sim`](crate#features) records it. Through
    /// [`Global`](crate::Global) it is called with the feature `sim` only. The default does nothing
    /// and compiles to nothing. The bits are already changed, the barrier already executed, when a
    /// call reports it.
    #[inline]
    fn observe(event: Event) {
        let _ = event;
    }

    /// Whether it is [`Global`]'s, or passes calls on to that: then it cannot be registered itself.
    #[doc(hidden)]
    const IS_REGISTERED_ONE: bool = false;
}

/// The backend that the program registered with
/// [`set_global_backend!`](crate::set_global_backend).
///
/// It is the default of the types and of the attribute; functions name it: `write::<Global,
/// _>(..)`, `with::<Global, _>(..)`. A section costs one call at its enter and one for each barrier
/// pair; stores call nothing.
#[derive(Debug)]
#[non_exhaustive]
pub struct Global;
