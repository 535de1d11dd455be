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
/// interrupt context, and reach the other harts. The defaults of the constants are right on every
/// hart without an erratum. This is all that a kernel with a structure for each task adds:
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
/// // for each task after that. The entry code loads it after a trap from user mode. A task is
/// // freed only after another one runs. Only the crate uses the byte `lazy_mmu`. The entry code of
/// // interrupts counts in `preempt_count`. `switch_to` orders the stores of the old task. The
/// // firmware has the RFENCE extension, and waits for the harts. The handler of a user's page
/// // fault calls `fix_spurious_fault` if the entry permits the access.
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
/// /// Switches to `next`, which this hart has taken from the run queue. Interrupts are masked.
/// fn switch_to(next: &'static Task) {
///     // Another hart that takes the old task from a run queue after this sees its stores.
///     fence(Ordering::SeqCst);
///     // Here the kernel exchanges the stacks and the registers, and sets `tp` to `next`.
/// #   let _ = next;
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
///   accesses to that memory are atomic and of the same width, or made by the task itself or by
///   its interrupt handlers.
/// * **A stable place.** The bits do not change their place while a section, a pause or a handle of
///   the task lives. In the structure of a task they never do. With a byte of each hart, the task
///   does not move to another hart then, and an interrupt never moves it.
/// * **Harts.** [`Harts`](Self::Harts) reaches every hart that uses the tables, and each hart whose
///   TLB may still have their entries. The kernel keeps the duties on the page of this type:
///   [`OneHart`](super::OneHart), [`Sbi`](super::Sbi) or [`OnFault`](super::OnFault).
/// * **Context switch.** The stores of a task are visible to the hart that takes it over. A release
///   store or `fence rw, w` on the old hart, and an acquire load or `fence r, rw` on the new one,
///   suffice. The task may execute its fence on the new hart, and a fence orders only the stores
///   that its hart sees. A fence on the new hart is not needed for a mapping that the task has used
///   already, because [`Harts`](Self::Harts) has reached the hart.
/// * **User pages.** The handler of a page fault at a user's address, in user or supervisor mode,
///   calls [`fix_spurious_fault`](super::fix_spurious_fault) if the entry permits the access. A
///   kernel that maps a user's pages by [`EveryLeaf`](super::descriptor::EveryLeaf), in tables that
///   it links by [`Table`](super::descriptor::Table), need not, unless [`Harts`](Self::Harts) is
///   [`OnFault`](super::OnFault).
/// * **Svinval and Svvptc.** [`HAS_SVINVAL`](Self::HAS_SVINVAL) and
///   [`HAS_SVVPTC`](Self::HAS_SVVPTC) are true only if every hart has the extension.
/// * **Errata.** If a hart's fences with an address or an ASID do not work,
///   [`MAX_OPS`](Self::MAX_OPS) is 0 and no range has an ASID.
/// * **Equal hooks and harts.** Backends that share bits have the same hooks and the same
///   [`Harts`](Self::Harts), because one backend can execute the barrier of the other's stores.
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
    /// `sinval.vma` for each. On a hart without the extension, the instruction is illegal.
    const HAS_SVINVAL: bool = false;

    /// Whether every hart has Svvptc: an entry that becomes valid is seen in a bounded time.
    ///
    /// The extension does not replace the barrier of a kernel's mapping, because the time is
    /// bounded, but it is not zero. A kernel's access may fault in between. A user's access faults
    /// again until the time is over. The extension therefore saves the fence of
    /// [`Riscv64::update_mmu_cache`], and nothing else (Linux has the same use for it).
    const HAS_SVVPTC: bool = false;

    /// The most leaves that one invalidation names. If there are more, one fence without an address
    /// replaces them. It names the ASID if all ranges have the same one.
    ///
    /// The limit is for the kernel's fences. [`Sbi`](super::Sbi) tells the firmware the range, and
    /// the firmware has a limit of its own.
    ///
    /// With 0, no fence names an address. SiFive's harts with the erratum CIP-1200 need this
    /// (Linux: `ERRATA_SIFIVE_CIP_1200`). Their fences cannot name an ASID either, so the kernel's
    /// ranges have none, and its fault handler calls
    /// [`fix_spurious_fault`](super::fix_spurious_fault) instead of [`Riscv64::update_mmu_cache`].
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
///   [`Harts::invalidate`]. If all ranges are
///   [for this CPU only](crate::VirtualRange::on_this_cpu), it does not call `Harts`.
/// * If a store awaits its barrier, the invalidation is `sfence.vma x0, x0` and
///   [`Harts::invalidate_all`], because a fence with an address does not cover the other entries.
///   For ranges of this CPU only, it is the barrier.
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
    /// the time in which the access faults. If the handler has also linked a table, the access may
    /// still fault once more, because a fence with an address covers leaves only.
    ///
    /// ```no_run
    /// use core::sync::atomic::{AtomicU64, Ordering};
    /// use lazy_mmu::riscv64::descriptor::{Leaf, USER_DATA, VALID};
    /// use lazy_mmu::riscv64::{Kernel, Riscv64, fix_spurious_fault};
    ///
    /// /// Handles the fault of a user's access to `address`, whose entry is `slot`.
    /// fn user_fault<K: Kernel>(slot: &AtomicU64, address: u64, frame: fn() -> u64) {
    ///     let entry = slot.load(Ordering::Relaxed);
    ///     if entry & VALID != 0 {
    ///         assert!(permits(entry), "the kernel ends the process");
    ///         // Another hart has mapped the page, or this hart has kept the invalid entry.
    ///         fix_spurious_fault();
    ///     } else {
    ///         lazy_mmu::write::<Riscv64<K>, _>(slot, Leaf::page(frame(), USER_DATA));
    ///         Riscv64::<K>::update_mmu_cache(address);
    ///     }
    /// }
    ///
    /// /// Whether the entry permits the access, and has the bits A and D that the access needs.
    /// fn permits(entry: u64) -> bool {
    ///     // This depends on the cause of the trap.
    ///     # let _ = entry;
    ///     # true
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

    /// The description of the kernel's harts for TLB invalidation: [`Kernel::HAS_SVINVAL`] and
    /// [`Kernel::MAX_OPS`].
    pub const TLBS: Tlbs = Tlbs {
        has_svinval: K::HAS_SVINVAL,
        max_ops: K::MAX_OPS,
    };
}

/// Repairs a spurious page fault: the entry permits the access, but this hart has kept an older
/// one.
///
/// The function executes `sfence.vma x0, x0` on the hart that calls it, with or without Svvptc. The
/// handler then returns to the access (Linux: `flush_tlb_fix_spurious_fault`). The fence has no
/// address, because the hart may have kept an entry of a higher level, and a fence with an address
/// covers leaves only. The page of [`Riscv64::update_mmu_cache`] has an example.
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
        Self::TLBS.invalidate_here(invalidations);
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

#[cfg(test)]
mod tests {
    use super::super::harts::Sbi;
    use super::super::on_fault::{HartFlags, OnFault};
    use super::*;
    use crate::protocol::bits::Bits;
    use crate::protocol::place::{ByteAt, FlagsAt, PreemptCountAt};
    use crate::protocol::range::{Scope, VirtualRange};
    use crate::riscv64::barriers::recorder::record;
    use crate::riscv64::{Mode, OneHart};
    use core::mem::offset_of;
    use core::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};

    #[repr(C)]
    struct ThreadInfo {
        flags: AtomicU64,
        preempt_count: AtomicU32,
        lazy_mmu: AtomicU8,
    }

    static INFO: ThreadInfo = ThreadInfo {
        flags: AtomicU64::new(0),
        preempt_count: AtomicU32::new(0),
        lazy_mmu: AtomicU8::new(0),
    };

    type Byte = ByteAt<{ offset_of!(ThreadInfo, lazy_mmu) }>;
    type Count = PreemptCountAt<{ offset_of!(ThreadInfo, preempt_count) }, 0x00ff_ff00>;

    /// Takes the place of the register.
    struct Pointer;

    impl TaskPointer for Pointer {
        fn current() -> *mut u8 {
            (&raw const INFO).cast_mut().cast()
        }
    }

    /// A kernel whose harts are `H`, with Svinval and Svvptc if `MODERN` is true.
    struct With<H, const MODERN: bool>(PhantomData<H>);

    // SAFETY: the tests record the instructions.
    unsafe impl<H: Harts, const MODERN: bool> Kernel for With<H, MODERN> {
        type Task = Pointer;
        type Bits = Byte;
        type Interrupt = Count;
        type Harts = H;
        const HAS_SVINVAL: bool = MODERN;
        const HAS_SVVPTC: bool = MODERN;
        const MAX_OPS: u64 = if MODERN { 2 } else { tlb::MAX_OPS };
    }

    type On<H> = Riscv64<With<H, false>>;
    type Modern = Riscv64<With<Sbi, true>>;

    fn page() -> VirtualRange {
        Mode::Sv39.range(0xffff_ffc0_0000_0000, 1).unwrap()
    }

    const ALL: &str = "sfence.vma x0, x0";
    const PAGE: &str = "sfence.vma 0xffffffc000000000, x0";
    const SBI_ALL: &str = "ecall: remote fence 0x0, 0xffffffffffffffff, 0xffffffffffffffff";
    const SBI_PAGE: &str = "ecall: remote fence 0xffffffc000000000, 0x1000, 0xffffffffffffffff";

    #[test]
    fn r11_the_bits_are_where_the_kernel_says() {
        struct Flags;
        // SAFETY: only this test uses the flags.
        unsafe impl Kernel for Flags {
            type Task = Pointer;
            type Bits = FlagsAt<{ offset_of!(ThreadInfo, flags) }, 60>;
            type Interrupt = Count;
            type Harts = OneHart;
        }

        // SAFETY: a section does not use these bits.
        unsafe { Riscv64::<Flags>::current().set(Bits::EMPTY, Bits::ACTIVE) };
        assert_eq!(INFO.flags.load(Ordering::Relaxed), 1 << 62);
        for (count, interrupt) in [(0, false), (7, false), (0x100, true), (0x0010_0000, true)] {
            INFO.preempt_count.store(count, Ordering::Relaxed);
            assert_eq!(Riscv64::<Flags>::in_interrupt(), interrupt);
            assert_eq!(On::<OneHart>::context().1, interrupt);
        }
    }

    #[test]
    fn r03_the_barrier_is_a_local_fence_and_then_that_of_the_other_harts() {
        assert_eq!(record(On::<OneHart>::barrier), [ALL]);
        assert_eq!(record(On::<Sbi>::barrier), [ALL, SBI_ALL]);
        assert_eq!(record(On::<Sbi>::table_barrier), ["fence w, w"]);
    }

    #[test]
    fn r03_an_invalidation_reaches_the_other_harts_unless_its_ranges_are_for_this_one() {
        let scope = Scope::PAGES;
        let everywhere = Invalidation {
            range: page(),
            scope,
        };
        let here = Invalidation {
            // SAFETY: the test does not invalidate the range.
            range: unsafe { page().on_this_cpu() },
            scope,
        };
        let only = |its: &[Invalidation]| record(|| On::<Sbi>::invalidate_only(its));
        assert_eq!(only(&[everywhere]), [PAGE, SBI_PAGE]);
        assert_eq!(only(&[here]), [PAGE]);
        assert_eq!(only(&[here, everywhere])[..2], [PAGE, PAGE]);
        assert_eq!(only(&[]), [""; 0]);
        let one_hart = record(|| On::<OneHart>::invalidate_only(&[everywhere]));
        assert_eq!(one_hart, [PAGE]);
        assert_eq!(record(On::<Sbi>::invalidate_all), [ALL, SBI_ALL]);
    }

    #[test]
    fn r09_the_fence_of_an_invalidation_covers_a_store_that_awaits_its_barrier() {
        type Mmu = On<OnFault<Waiting, Sbi>>;

        let scope = Scope::PAGES;
        // SAFETY: the test does not invalidate the range.
        for range in [page(), page().of_asid(7), unsafe { page().on_this_cpu() }] {
            let invalidation = Invalidation { range, scope };
            let found = record(|| On::<Sbi>::invalidate(&[invalidation]));
            assert_eq!(found, [ALL, SBI_ALL]);
        }
        assert_eq!(record(|| On::<OneHart>::invalidate(&[])), [ALL]);
        // A flag is not enough for the range, and it is enough for the store alone.
        let (range, scope) = (page(), Scope::PAGES);
        let found = record(|| Mmu::invalidate(&[Invalidation { range, scope }]));
        assert_eq!(found, [ALL, SBI_ALL]);
        assert_eq!(WAITING.load(Ordering::Relaxed), 0);
        // SAFETY: the test does not invalidate the range.
        let range = unsafe { range.on_this_cpu() };
        let found = record(|| Mmu::invalidate(&[Invalidation { range, scope }]));
        assert_eq!((found.len(), WAITING.load(Ordering::Relaxed)), (1, 1));
    }

    #[test]
    fn r02_r12_a_kernel_says_what_its_harts_have() {
        let range = Mode::Sv39.range(0x1000, 2).unwrap();
        let scope = Scope::PAGES;
        let two = Invalidation { range, scope };
        let found = record(|| Modern::invalidate_only(&[two]));
        let expected = [
            "sfence.w.inval",
            "sinval.vma 0x1000, x0",
            "sinval.vma 0x2000, x0",
            "sfence.inval.ir",
        ];
        assert_eq!(found[..4], expected);
        let found = record(|| Modern::invalidate_only(&[two, two]));
        assert_eq!(found[0], ALL);
    }

    #[test]
    fn r12_svvptc_saves_the_fence_behind_a_users_fault_and_no_other() {
        assert_eq!(record(|| Modern::update_mmu_cache(0x1000)), [""; 0]);
        let found = record(|| On::<Sbi>::update_mmu_cache(0x1000));
        assert_eq!(found, ["sfence.vma 0x1000, x0"]);
        assert_eq!(record(Modern::barrier), [ALL, SBI_ALL]);
        assert_eq!(record(fix_spurious_fault), [ALL]);
        // The check of a flag fences on every hart.
        // SAFETY: no interrupt comes on a host.
        let check = || unsafe { OnFault::<Flags, Sbi>::check() };
        assert_eq!(record(|| assert!(!check())), [""; 0]);
        assert_eq!(record(On::<OnFault<Flags, Sbi>>::barrier), [ALL]);
        assert_eq!(record(|| assert!(check())), [ALL]);
        assert_eq!(record(|| assert!(!check())), [""; 0]);
    }

    /// Defines the flags of one test, for a machine with one hart.
    macro_rules! flags {
        ($name:ident, $flag:ident) => {
            static $flag: AtomicU32 = AtomicU32::new(0);

            struct $name;

            // SAFETY: only one test uses the flag.
            unsafe impl HartFlags for $name {
                fn for_each(mut set: impl FnMut(&AtomicU32)) {
                    set(&$flag);
                }

                fn this_hart() -> &'static AtomicU32 {
                    &$flag
                }
            }
        };
    }

    flags!(Flags, FLAG);
    flags!(Waiting, WAITING);

    #[test]
    fn r03_an_invalidation_does_not_wait_for_a_fault() {
        type Mmu = On<OnFault<Unused, Sbi>>;

        let (range, scope) = (page(), Scope::PAGES);
        let invalidation = Invalidation { range, scope };
        let found = record(|| Mmu::invalidate_only(&[invalidation]));
        assert_eq!(found, [PAGE, SBI_PAGE]);
        assert_eq!(record(Mmu::invalidate_all), [ALL, SBI_ALL]);
    }

    struct Unused;

    // SAFETY: the flags are not used.
    unsafe impl HartFlags for Unused {
        fn for_each(_: impl FnMut(&AtomicU32)) {
            unreachable!("an invalidation sets no flag");
        }

        fn this_hart() -> &'static AtomicU32 {
            unreachable!("an invalidation takes no flag");
        }
    }

    #[test]
    fn r11_the_kernels_hooks_are_the_backends() {
        static CALLS: AtomicU32 = AtomicU32::new(0);

        struct Hooked;
        // SAFETY: the test does not enter a section.
        unsafe impl Kernel for Hooked {
            type Task = Pointer;
            type Bits = Byte;
            type Interrupt = Count;
            type Harts = OneHart;
            const HAS_HOOKS: bool = true;
            fn mode_begins() {
                CALLS.fetch_add(1, Ordering::Relaxed);
            }
            fn mode_ends() {
                CALLS.fetch_add(0x10, Ordering::Relaxed);
            }
        }

        const { assert!(Riscv64::<Hooked>::HAS_HOOKS && !Modern::HAS_HOOKS) }
        Riscv64::<Hooked>::mode_begins();
        assert_eq!(CALLS.load(Ordering::Relaxed), 1);
        Riscv64::<Hooked>::mode_ends();
        assert_eq!(CALLS.load(Ordering::Relaxed), 0x11);
    }
}
