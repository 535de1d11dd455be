//! The contract between the crate and a kernel: the bits of a thread, the barriers of a machine.
//!
//! The author of a kernel must read this file, and can skip the others. The traits name no
//! instruction, because each architecture has its own.

use super::bits::Storage;
use super::event::Event;
use super::range::Invalidation;

/// The backend of a kernel: the bits of the current thread, a test for interrupt context, and the
/// [machine](Machine) with its barriers.
///
/// The functions of the crate are generic over the backend, so the compiler inlines it. A backend
/// is a type without values. A kernel with a pointer to the current task in a register need not
/// implement this trait: [`aarch64::Aarch64`](crate::aarch64::Aarch64) and
/// [`riscv64::Riscv64`](crate::riscv64::Riscv64) do.
///
/// ```
/// use core::ptr::NonNull;
/// use core::sync::atomic::{AtomicU8, AtomicU64};
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// use lazy_mmu::{Backend, OwnByte};
/// # use lazy_mmu::sim::Sim as El1;
///
/// static BITS: AtomicU8 = AtomicU8::new(0);
///
/// /// The backend of a kernel with one thread and without interrupt handlers.
/// struct Mmu;
///
/// // SAFETY: the kernel has one thread, and no other code uses `BITS`. There is no interrupt
/// // handler, and no context switch.
/// unsafe impl Backend for Mmu {
///     type Storage = OwnByte;
///     type Machine = El1; // `lazy_mmu::aarch64::El1`
///
///     fn current() -> OwnByte {
///         // SAFETY: a static is always valid, and only this backend uses it.
///         unsafe { OwnByte::from_ptr(NonNull::from(&BITS)) }
///     }
///
///     fn in_interrupt() -> bool {
///         false
///     }
/// }
///
/// let slot = AtomicU64::new(0);
/// lazy_mmu::with::<Mmu, _>(|mmu| mmu.write(&slot, Leaf::page(0x4000_0000, KERNEL_DATA)));
/// ```
///
/// # Safety
///
/// A wrong implementation loses barriers. Its author promises:
///
/// * **Own bits.** [`current`](Self::current) returns the bits of the thread that calls it,
///   whichever CPU runs the thread, and whichever handler has interrupted it. Each thread has its
///   own bits. They are clear when the thread starts, even if its parent is in a section.
/// * **A stable place.** The bits stay at their place as long as a section, a pause or a handle of
///   the thread lives. A place that belongs to a CPU, and whose contents the scheduler swaps, is
///   correct only while the thread cannot move to another CPU. With a place that belongs to a CPU,
///   an interrupt never moves the thread to another CPU, outside sections too, because the crate
///   reads the place some instructions before it uses the place.
/// * **Equal hooks and barriers.** Backends whose `current` returns the same place have the same
///   hooks ([`mode_begins`](Self::mode_begins), [`mode_ends`](Self::mode_ends)), because one
///   backend can end the mode that another one began, and then calls its own hook. It then also
///   executes its own barrier for the other's stores, so the barriers reach the same CPUs.
/// * **Storage.** [`Storage`] is implemented as its page describes.
/// * **Interrupt context.** [`in_interrupt`](Self::in_interrupt) returns true in every context that
///   preempts a thread and is not a thread: interrupts, softirqs, NMIs, and on aarch64 FIQs and
///   SErrors. It may also return true elsewhere, for example in a thread that has disabled
///   softirqs.
/// * **The CPU that a thread leaves** executes a barrier at the context switch, after the thread's
///   last store and before another CPU can run the thread. The barrier completes the thread's
///   stores and TLB invalidations for all CPUs (aarch64: `dsb ish`; Linux: `__switch_to`; RISC-V: a
///   release, because an invalidation is complete when it returns). The thread may execute its pair
///   on the next CPU, and a pair does not complete the stores of another CPU.
/// * **The CPU that a thread enters** synchronizes its context (aarch64: `isb`, or an exception
///   return that synchronizes the context; RISC-V: an acquire). It does so after it has taken over
///   the thread. The other CPU gives the thread up by a value, for example in a run queue. This CPU
///   has read that value, and has branched on it. The registers may be exchanged later. The thread
///   may have executed its pair, and used its mapping, on the first CPU. The second CPU may have
///   fetched the next instructions of the thread before that. Without FEAT_ETS2 they can fault. A
///   TLB invalidation alone does not need this event.
/// * **No recursion.** The methods of this trait and of the [`Storage`] do not unwind, open a
///   section, or store through this crate.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a lazy MMU backend",
    label = "expected a type that implements `Backend`",
    note = "use `Aarch64<Kernel>` in an aarch64 kernel, `Riscv64<Kernel>` in a RISC-V kernel, and \
            `sim::Sim` in tests on a host",
    note = "use `Global` for the backend that the program registers"
)]
pub unsafe trait Backend: 'static {
    /// The place of the bits, and how they are changed there.
    type Storage: Storage;

    /// The barriers and the TLB invalidation.
    type Machine: Machine;

    /// Returns the place of the current thread's bits. In a handler, this is the thread that the
    /// handler interrupted.
    fn current() -> Self::Storage;

    /// Returns whether the CPU is in interrupt context. A section that is opened there is inert,
    /// and a store by code without the guard is followed by its pair at once.
    ///
    /// A synchronous exception is not an interrupt, because its handler runs on behalf of the
    /// thread (see [`raw`](crate::raw#exception-handlers)).
    fn in_interrupt() -> bool;

    /// Whether the crate calls [`mode_begins`](Self::mode_begins) and
    /// [`mode_ends`](Self::mode_ends).
    const HAS_HOOKS: bool = false;

    /// The hook that runs just before the thread begins to defer stores: when it enters the
    /// outermost section, and when a pause inside a section ends. The hook can disable preemption,
    /// for example.
    ///
    /// The crate calls it only if [`HAS_HOOKS`](Self::HAS_HOOKS) is true. Inert sections do not
    /// call it, so the sections of interrupt handlers do not.
    ///
    /// One call of [`mode_ends`](Self::mode_ends) follows each call, on every way out: leave, early
    /// return, pause, panic. If the guard was forgotten, the mode ends when the
    /// [handle](crate::Task) is used next.
    ///
    /// A synchronous exception can arrive between this call and the begin of the mode, or between
    /// the end of the mode and the call of [`mode_ends`](Self::mode_ends). If its handler opens a
    /// section, it calls both hooks in between. A hook therefore counts, as a preempt count does.
    ///
    /// ```
    /// use core::sync::atomic::{AtomicU32, Ordering::Relaxed};
    /// use lazy_mmu::Backend;
    /// # use lazy_mmu::sim::Sim;
    ///
    /// static PREEMPT_COUNT: AtomicU32 = AtomicU32::new(0);
    ///
    /// struct Mmu;
    ///
    /// // SAFETY: as in the example of `Backend`. The hooks only count.
    /// unsafe impl Backend for Mmu {
    ///     // `Storage`, `Machine`, `current` and `in_interrupt`: as in that example
    ///     # // The bits are those of `Sim`, which this example does not use otherwise.
    ///     # type Storage = <Sim as Backend>::Storage;
    ///     # type Machine = Sim;
    ///     # fn current() -> Self::Storage { Sim::current() }
    ///     # fn in_interrupt() -> bool { Sim::in_interrupt() }
    ///     const HAS_HOOKS: bool = true;
    ///
    ///     fn mode_begins() {
    ///         PREEMPT_COUNT.fetch_add(1, Relaxed);
    ///     }
    ///
    ///     fn mode_ends() {
    ///         PREEMPT_COUNT.fetch_sub(1, Relaxed);
    ///     }
    /// }
    ///
    /// lazy_mmu::with::<Mmu, _>(|mmu| {
    ///     assert_eq!(PREEMPT_COUNT.load(Relaxed), 1); // Stores are deferred.
    ///     mmu.paused(|| assert_eq!(PREEMPT_COUNT.load(Relaxed), 0));
    /// });
    /// assert_eq!(PREEMPT_COUNT.load(Relaxed), 0);
    /// ```
    #[inline]
    fn mode_begins() {}

    /// The hook that runs just after the thread has stopped deferring stores: when it has left the
    /// outermost section, or has paused the mode in any section, and has emitted the pending pair.
    ///
    /// The hook may switch to another thread, as Linux's `preempt_enable` does, if the bits are in
    /// the structure of each task. With a byte of each CPU it must not switch, because a pause and
    /// [`Task::enter`](crate::Task::enter) use the place of the bits after the hook.
    ///
    /// The crate calls it only if [`HAS_HOOKS`](Self::HAS_HOOKS) is true.
    /// [`mode_begins`](Self::mode_begins) shows an example.
    #[inline]
    fn mode_ends() {}

    /// Returns [`current`](Self::current) and [`in_interrupt`](Self::in_interrupt) together, for a
    /// backend that pays for each call.
    #[doc(hidden)]
    #[inline]
    fn context() -> (Self::Storage, bool) {
        (Self::current(), Self::in_interrupt())
    }
}

/// The barriers and the TLB invalidation of a machine.
///
/// Among the machines of the crate are [`aarch64::Aarch64`](crate::aarch64::Aarch64) and
/// [`riscv64::Riscv64`](crate::riscv64::Riscv64) of a kernel's configuration,
/// [`aarch64::El1`](crate::aarch64::El1), and [`sim::Sim`](crate#features).
/// [`Wrapped`](crate::Wrapped) changes methods of another backend's machine.
/// [`Eager`](crate::Eager) has an example for x86-64. A RISC-V kernel implements
/// [`riscv64::Harts`](crate::riscv64::Harts). Another kernel implements this trait if its CPUs
/// invalidate by interprocessor interrupt, for example:
///
/// ```
/// use lazy_mmu::{Invalidation, Machine};
/// # use lazy_mmu::sim::Sim as El1;
/// # fn ipi(_: impl Fn()) {}
/// # mod local_tlbi { pub fn ranges(_: &[lazy_mmu::Invalidation]) {} pub fn all() {} }
///
/// /// CPUs with an erratum: a broadcast TLBI does not reach all of them.
/// struct WithoutBroadcast;
///
/// // SAFETY: the barriers are those of `El1`. `ipi` runs its argument on each CPU, and returns
/// // when all CPUs have executed their TLBI and a `dsb`.
/// unsafe impl Machine for WithoutBroadcast {
///     fn barrier() {
///         El1::barrier(); // `lazy_mmu::aarch64::El1`
///     }
///     fn table_barrier() {
///         El1::table_barrier();
///     }
///     fn invalidate(invalidations: &[Invalidation]) {
///         El1::table_barrier();
///         ipi(|| local_tlbi::ranges(invalidations));
///         El1::barrier();
///     }
///     fn invalidate_all() {
///         El1::table_barrier();
///         ipi(local_tlbi::all);
///         El1::barrier();
///     }
/// }
/// # WithoutBroadcast::barrier();
/// ```
///
/// # Safety
///
/// * [`barrier`](Self::barrier) completes every earlier store of this thread to a translation
///   table, for the hardware walkers. Later instructions of this thread see the result.
/// * [`table_barrier`](Self::table_barrier) orders the same stores before the next store: a walker
///   that finds the next store finds them too.
/// * [`invalidate`](Self::invalidate) and [`invalidate_all`](Self::invalidate_all) act only after
///   the walkers find the same stores. They return when no CPU uses the old translations, and when
///   all accesses through them are complete. They include the effect of `barrier`. For a range [on
///   this CPU](crate::VirtualRange::on_this_cpu), the duties concern this CPU only.
/// * [`invalidate_only`](Self::invalidate_only) has the same duties, except the effect of
///   `barrier`.
/// * The compiler does not move a memory access across any of these methods.
/// * The methods do not unwind, open a section, or store through this crate.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a machine of a lazy MMU backend",
    label = "expected a type that implements `Machine`",
    note = "use `Aarch64<Kernel>` or `El1` in an aarch64 kernel, `Riscv64<Kernel>` in a RISC-V \
            kernel, and `sim::Sim` in tests on a host"
)]
pub unsafe trait Machine: 'static {
    /// Executes the barrier pair: on aarch64 `dsb ishst; isb`. On RISC-V the barrier is one fence,
    /// `sfence.vma x0, x0`, on each hart that may use the mapping.
    fn barrier();

    /// Orders the stores that fill a table before the store that links it: on aarch64 `dsb ishst`,
    /// the first half of the pair, and on RISC-V `fence w, w`.
    fn table_barrier();

    /// Removes translations from the TLBs, in one sequence for all `invalidations`.
    ///
    /// It may also remove other translations.
    fn invalidate(invalidations: &[Invalidation]);

    /// Removes translations from the TLBs as [`invalidate`](Self::invalidate) does, but may leave
    /// out the effect of [`barrier`](Self::barrier).
    ///
    /// The crate calls it if no store of the thread awaits its barrier. A machine implements it if
    /// an invalidation of few pages costs less than the barrier. On RISC-V the barrier is a fence
    /// for every page. On aarch64 the sequence of an invalidation contains the barrier pair, and
    /// the default is right.
    #[inline]
    fn invalidate_only(invalidations: &[Invalidation]) {
        Self::invalidate(invalidations);
    }

    /// Removes all translations of the kernel's translation regime from the TLBs of all CPUs.
    fn invalidate_all();

    /// Reports an event that the other methods do not show: a store, or the begin or end of a
    /// section. Tests and traces use it (see [`Event`]), and [`sim`](crate#features) records it.
    ///
    /// When a call reports an event, the bits have changed and the barrier has executed.
    /// [`Global`](crate::Global) passes events on only if the feature `sim` is on. The default does
    /// nothing, and compiles to nothing.
    #[inline]
    fn observe(event: Event) {
        let _ = event;
    }

    /// Whether this is the machine of [`Global`], or one that forwards to it. Such a machine cannot
    /// be registered.
    #[doc(hidden)]
    const IS_REGISTERED_ONE: bool = false;
}

/// The backend that the program registered with
/// [`set_global_backend!`](crate::set_global_backend).
///
/// It lets a library open sections without knowing the backend. It is the default of the types and
/// of the attribute, and the functions of the module [`global`](crate::global) use it.
///
/// A section costs one call when it is entered, and one for each barrier pair. A deferred store of
/// a leaf through the guard calls nothing. A store that links a table costs one call.
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// use lazy_mmu::{LazyMmu, Nesting};
///
/// // In a library: the third parameter of `LazyMmu` is `Global` by default.
/// fn map_buffer(mmu: &mut LazyMmu<'_, impl Nesting>, slots: &[AtomicU64], first: u64) {
///     mmu.write_range(slots, |i| Leaf::page(first + 4096 * i as u64, KERNEL_DATA));
/// }
///
/// // In the final binary:
/// # type Mmu = lazy_mmu::sim::Sim;
/// lazy_mmu::set_global_backend!(Mmu);
/// # lazy_mmu::global::with(|mmu| map_buffer(mmu, &[const { AtomicU64::new(0) }; 8], 0));
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Global;
