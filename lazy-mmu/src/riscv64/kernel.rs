//! The backend of a RISC-V kernel, made of the kernel's configuration.

use core::marker::PhantomData;

use super::barriers::{local_fence, table_barrier};
use super::harts::Harts;
use super::tlb::{self, Fence, Operands, Tlbs};
use crate::protocol::backend::{Backend, Machine};
use crate::protocol::bits::Storage;
use crate::protocol::place::{BitsAt, InterruptTest, TaskPointer, current_task};
#[cfg(doc)]
use crate::protocol::place::{ByteAt, FlagsAt, MaybeNull};
use crate::protocol::range::Invalidation;

/// The configuration of a RISC-V kernel in supervisor mode. [`Riscv64`] makes a [`Backend`] of it.
///
/// The associated types find the current task's structure, find the crate's bits in it, recognise
/// interrupt context, and reach the other harts. The constants have defaults that are right on
/// every hart. This is all that a kernel with a structure for each task adds:
///
/// ```
/// use core::mem::offset_of;
/// use core::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering, fence};
///
/// use lazy_mmu::riscv64::descriptor::{KERNEL_DATA, Leaf};
/// use lazy_mmu::riscv64::{ByteAt, Kernel, PreemptCountAt, Riscv64, Sbi, Tp};
///
/// /// A task. While the kernel runs, `tp` points to the current one.
/// #[repr(C)]
/// struct Task {
///     /// Counts nested softirqs, interrupts and NMIs in the bits that Linux uses.
///     preempt_count: AtomicU32,
///     /// The four bits of the crate. They are clear in a new task.
///     lazy_mmu: AtomicU8,
///     // Here follow the saved registers, the stack and so on.
/// }
///
/// struct MyKernel;
///
/// // SAFETY: the boot code of a hart sets `tp` before the first store to a table, and `switch_to`
/// // for each task after that. The entry code loads it after a trap from user mode. A task is freed
/// // only after another one runs. Only the crate uses the byte `lazy_mmu`. The entry code of
/// // interrupts counts in `preempt_count`. `switch_to` executes the two barriers. The firmware has
/// // the RFENCE extension. The handler of a user's page fault calls `fix_spurious_fault`.
/// unsafe impl Kernel for MyKernel {
///     type Task = Tp;
///     type Bits = ByteAt<{ offset_of!(Task, lazy_mmu) }>;
///     type Interrupt = PreemptCountAt<{ offset_of!(Task, preempt_count) }, 0x00ff_ff00>;
///     type Harts = Sbi;
/// }
///
/// type Mmu = Riscv64<MyKernel>;
///
/// // Code of the final binary and of its libraries need not name the backend after this line.
/// lazy_mmu::set_global_backend!(Mmu);
///
/// /// Gives the current task up. Interrupts are masked. A release store to the run queue follows.
/// fn before_another_hart_may_run_the_task() {
///     // The hart that takes the task over sees its stores.
///     fence(Ordering::SeqCst);
/// }
///
/// /// Maps consecutive pages. All stores share one fence on each hart.
/// #[lazy_mmu::lazy_mmu(mmu)]
/// fn map_pages(slots: &[AtomicU64], first: u64) {
///     mmu.write_range(slots, |i| Leaf::page(first + 4096 * i as u64, KERNEL_DATA));
/// }
/// ```
///
/// # Safety
///
/// The implementor promises:
///
/// * **Task.** Whenever the backend is used, also in handlers, [`Task`](Self::Task) points to the
///   structure of the task that runs or was interrupted. The structure lives as long as the task.
///   If the bits are in a byte of each hart, the pointer points to the structure of this hart
///   instead, which is never freed. With [`MaybeNull`] the pointer may be null before there is a
///   task.
/// * **Bits.** [`Bits`](Self::Bits) lie in that structure, aligned. They belong to the task, and
///   are clear when the task starts. Only this crate changes them. The one exception is a
///   scheduler that swaps a byte of the hart at a context switch. All other accesses to the 64-bit
///   word or the byte that has them are atomic and of the same width. The [`Storage`] of `Bits` is
///   implemented as its page describes.
/// * **Interrupt context.** [`Interrupt`](Self::Interrupt) is true in every interrupt, softirq and
///   NMI. The memory that it reads through the pointer lies in the structure, aligned. All other
///   accesses to that memory are atomic and of the same width, or made by the task itself.
/// * **A stable place.** The bits do not change their place while a section, a pause or a handle of
///   the task lives. In the structure of a task they never do. With a byte of each hart, the task
///   does not move to another hart then, and an interrupt never moves it.
/// * **Harts.** [`Harts`](Self::Harts) reaches every hart that uses the tables.
/// * **Context switch.** The stores of a task are visible to the hart that takes it over. A release
///   store or `fence rw, w` on the old hart, and an acquire load or `fence r, rw` on the new one,
///   suffice. The task may execute its fence on the new hart, and a fence orders only the stores
///   that its hart sees. A fence on the new hart is not needed for a mapping that the task has used
///   already, because [`Harts`](Self::Harts) has reached the hart.
/// * **User pages.** The handler of a user's page fault calls
///   [`fix_spurious_fault`](super::fix_spurious_fault) if the entry permits the access. A kernel
///   that maps a user's pages by [`EveryLeaf`](super::descriptor::EveryLeaf) need not.
/// * **Svinval and Svvptc.** [`HAS_SVINVAL`](Self::HAS_SVINVAL) and
///   [`HAS_SVVPTC`](Self::HAS_SVVPTC) are true only if every hart has the extension.
/// * **Equal hooks.** Backends that share bits have the same hooks.
/// * **No recursion.** The methods and hooks of this trait, those of the types and those of the
///   [`Storage`] do not unwind, do not open a section, and do not store through this crate.
pub unsafe trait Kernel: 'static {
    /// Finds the current task's structure: [`Tp`](super::Tp), for example.
    type Task: TaskPointer;
    /// Finds the bits in the task's structure: [`FlagsAt`] or [`ByteAt`].
    type Bits: BitsAt;
    /// Recognises interrupt context: [`PreemptCountAt`](super::PreemptCountAt), for example.
    type Interrupt: InterruptTest;
    /// Reaches the other harts: [`OneHart`](super::OneHart), [`Sbi`](super::Sbi),
    /// [`OnFault`](super::OnFault), or the kernel's own.
    type Harts: Harts;

    /// Whether every hart has Svinval. An invalidation of several leaves then executes
    /// `sinval.vma` for each.
    const HAS_SVINVAL: bool = false;

    /// Whether every hart has Svvptc: an entry that becomes valid is seen in a bounded time.
    ///
    /// The extension does not replace the barrier of a kernel's mapping, because the time is
    /// bounded, but it is not zero. A kernel's access may fault in between. A user's access faults
    /// again until the time is over. The extension therefore saves the fence of
    /// [`Riscv64::update_mmu_cache`], and nothing else (Linux has the same use for it).
    const HAS_SVVPTC: bool = false;

    /// The most leaves that one invalidation names. If there are more, one fence covers everything
    /// of the ASID, or of all address spaces.
    const MAX_OPS: u64 = tlb::MAX_OPS;

    /// Whether the crate calls [`mode_begins`](Self::mode_begins) and
    /// [`mode_ends`](Self::mode_ends). The page of [`aarch64::Kernel`](crate::aarch64::Kernel) has
    /// an example.
    const HAS_HOOKS: bool = false;

    /// Called just before stores begin to be deferred on this thread: see [`Backend::mode_begins`].
    #[inline]
    fn mode_begins() {}

    /// Called just after stores have ceased to be deferred on this thread: see
    /// [`Backend::mode_ends`].
    #[inline]
    fn mode_ends() {}
}

/// The [`Backend`] and [`Machine`] of the kernel `K`. The page of [`Kernel`] shows how a kernel
/// implements `K`.
///
/// * The barrier is `sfence.vma x0, x0`, and then [`Harts::fence`].
/// * The barrier before a link is `fence w, w`.
/// * An invalidation executes the [fences](Tlbs::fences) of its ranges, and then
///   [`Harts::invalidate`]. If a store awaits its barrier, the invalidation is
///   `sfence.vma x0, x0` and [`Harts::invalidate_all`], because a fence with an address does not
///   cover the other entries.
/// * A range that is [for this CPU only](crate::VirtualRange::on_this_cpu) does not reach the
///   others.
///
/// ```
/// # use core::mem::offset_of;
/// # use core::sync::atomic::{AtomicU8, AtomicU32};
/// use core::sync::atomic::{AtomicU64, Ordering};
/// use lazy_mmu::riscv64::Riscv64;
/// # use lazy_mmu::riscv64::{ByteAt, Kernel, OneHart, PreemptCountAt, TaskPointer};
/// use lazy_mmu::riscv64::descriptor::{Leaf, USER_DATA};
/// # #[repr(C)]
/// # struct Task {
/// #     preempt_count: AtomicU32,
/// #     lazy_mmu: AtomicU8,
/// # }
/// # static TASK: Task = Task { preempt_count: AtomicU32::new(0), lazy_mmu: AtomicU8::new(0) };
/// # struct Current;
/// # impl TaskPointer for Current {
/// #     fn current() -> *mut u8 {
/// #         (&raw const TASK).cast_mut().cast()
/// #     }
/// # }
/// # struct MyKernel;
/// # // SAFETY: only the thread of the example uses `TASK`.
/// # unsafe impl Kernel for MyKernel {
/// #     type Task = Current;
/// #     type Bits = ByteAt<{ offset_of!(Task, lazy_mmu) }>;
/// #     type Interrupt = PreemptCountAt<{ offset_of!(Task, preempt_count) }, 0x00ff_ff00>;
/// #     type Harts = OneHart;
/// # }
///
/// /// The backend of `MyKernel`, which implements `Kernel`.
/// type Mmu = Riscv64<MyKernel>;
///
/// let slot = AtomicU64::new(0);
/// let page = Leaf::page(0x8000_0000, USER_DATA);
/// lazy_mmu::with::<Mmu, _>(|mmu| {
///     assert!(lazy_mmu::is_active::<Mmu>());
///     mmu.write(&slot, page);
/// });
/// assert_eq!(slot.load(Ordering::Relaxed), page.0);
/// ```
pub struct Riscv64<K>(PhantomData<K>);

impl<K: Kernel> Riscv64<K> {
    /// Fences a user's page that the handler of its fault has just mapped, on this hart (Linux:
    /// `update_mmu_cache`). `address` is virtual, in bytes.
    ///
    /// The user's access is likely to come next, and without the fence it may fault once more. With
    /// [`HAS_SVVPTC`](Kernel::HAS_SVVPTC) the function does nothing, because the extension bounds
    /// the time in which the access faults.
    ///
    /// ```no_run
    /// use core::sync::atomic::AtomicU64;
    /// use lazy_mmu::riscv64::descriptor::{Leaf, USER_DATA};
    /// use lazy_mmu::riscv64::{Kernel, Riscv64, fix_spurious_fault};
    ///
    /// /// Handles the fault of a user's access to `address`, whose entry is `slot`.
    /// fn user_fault<K: Kernel>(slot: &AtomicU64, address: u64, frame: fn() -> u64) {
    ///     if Leaf(slot.load(core::sync::atomic::Ordering::Relaxed)).is_valid() {
    ///         // Another hart has mapped the page, or this hart has kept the invalid entry.
    ///         fix_spurious_fault();
    ///     } else {
    ///         lazy_mmu::write::<Riscv64<K>, _>(slot, Leaf::page(frame(), USER_DATA));
    ///         Riscv64::<K>::update_mmu_cache(address);
    ///     }
    /// }
    /// ```
    ///
    /// # Panics
    ///
    /// On an architecture other than RISC-V, without [`HAS_SVVPTC`](Kernel::HAS_SVVPTC).
    #[inline]
    pub fn update_mmu_cache(address: u64) {
        if !K::HAS_SVVPTC {
            let operands = Operands {
                address: Some(address),
                asid: None,
            };
            Fence::SfenceVma(operands).execute();
        }
    }

    /// Returns the description of the kernel's harts for TLB invalidation.
    #[inline]
    fn tlbs() -> Tlbs {
        Tlbs {
            has_svinval: K::HAS_SVINVAL,
            max_ops: K::MAX_OPS,
        }
    }
}

/// Repairs a spurious page fault: the entry permits the access, but this hart has kept an older one.
///
/// The function executes `sfence.vma x0, x0`, on every hart, with or without Svvptc. The handler
/// then returns to the access (Linux: `flush_tlb_fix_spurious_fault`). The fence has no address,
/// because the hart may have kept an entry of a higher level, and a fence with an address covers
/// leaves only. The page of [`Riscv64::update_mmu_cache`] has an example.
///
/// # Panics
///
/// On an architecture other than RISC-V.
#[inline]
pub fn fix_spurious_fault() {
    local_fence();
}

// SAFETY: the implementor of `K` promises that the bits are the task's own, that the test is true
// in interrupts, that the hooks keep their duties, and that a context switch orders the stores.
unsafe impl<K: Kernel> Backend for Riscv64<K> {
    type Storage = <K::Bits as BitsAt>::Storage;
    type Machine = Self;

    #[inline]
    fn current() -> Self::Storage {
        let bits = |task| {
            // SAFETY: `K` promises that the bits lie in the structure to which the pointer points.
            unsafe { K::Bits::in_task(task) }
        };
        current_task::<K::Task>().map_or_else(Storage::inert, bits)
    }

    #[inline]
    fn in_interrupt() -> bool {
        // SAFETY: `K` promises that the pointer points to the current task's structure.
        current_task::<K::Task>().is_none_or(|task| unsafe { K::Interrupt::in_interrupt(task) })
    }

    const HAS_HOOKS: bool = K::HAS_HOOKS;

    #[inline]
    fn mode_begins() {
        K::mode_begins();
    }

    #[inline]
    fn mode_ends() {
        K::mode_ends();
    }

    #[inline]
    fn context() -> (Self::Storage, bool) {
        let Some(task) = current_task::<K::Task>() else {
            // Before the first task there are no bits. Sections are inert then, as in an interrupt
            // handler.
            return (Self::Storage::inert(), true);
        };
        // SAFETY: as in `current`.
        let bits = unsafe { K::Bits::in_task(task) };
        // SAFETY: as in `in_interrupt`.
        let in_interrupt = unsafe { K::Interrupt::in_interrupt(task) };
        (bits, in_interrupt)
    }
}

// SAFETY: the fences are the architecture's, and `K` promises the properties of its harts.
unsafe impl<K: Kernel> Machine for Riscv64<K> {
    #[inline]
    fn barrier() {
        local_fence();
        K::Harts::fence();
    }

    #[inline]
    fn table_barrier() {
        table_barrier();
    }

    /// Fences everything, because a fence with an address does not have the effect of the barrier.
    ///
    /// Not inlined, because the instructions cost more than the call.
    #[inline(never)]
    fn invalidate(invalidations: &[Invalidation]) {
        local_fence();
        if reach_others(invalidations) {
            K::Harts::invalidate_all();
        } else {
            K::Harts::fence();
        }
    }

    /// Not inlined, because the instructions cost more than the call.
    #[inline(never)]
    fn invalidate_only(invalidations: &[Invalidation]) {
        Self::tlbs().invalidate_here(invalidations);
        if reach_others(invalidations) {
            K::Harts::invalidate(invalidations);
        }
    }

    #[inline]
    fn invalidate_all() {
        local_fence();
        K::Harts::invalidate_all();
    }
}

/// Whether a range is not for this hart only.
fn reach_others(invalidations: &[Invalidation]) -> bool {
    !invalidations.iter().all(|it| it.range.this_cpu())
}
