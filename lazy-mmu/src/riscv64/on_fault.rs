//! Fences on fault: a hart executes the fence of a new mapping when it takes a trap.
//!
//! Linux has had this scheme for vmalloc since commit 503638e0babf, and has corrected it several
//! times. The order of the steps matters, and the tests go through all of its interleavings.
//!
//! The hart that makes entries valid executes, after its stores:
//!
//! 1. `fence rw, w`, so another hart that sees a flag also sees the entries;
//! 2. a store of 1 to the flag of each hart.
//!
//! A hart that takes a trap executes, before its first access to memory that may be newly mapped:
//!
//! 1. a load of its flag, and nothing else if the flag is 0;
//! 2. a store of 0 to the flag. It stands **before** the fence: a hart that sets the flag in
//!    between loses nothing, because the flag stays set;
//! 3. `fence rw, rw`, then `sfence.vma x0, x0`: **always**, because the flag is gone. Svvptc bounds
//!    the time until a hart sees the entry, but the repeated access can come earlier (Linux
//!    1b2c6b56a9fa).

use core::marker::PhantomData;
use core::sync::atomic::{AtomicU32, Ordering, fence};

use super::barriers::local_fence;
use super::harts::Harts;
use crate::protocol::range::Invalidation;

/// The flags of a kernel's harts for [`OnFault`]: a 32-bit word for each hart.
///
/// The flag is 1 if entries have become valid since the hart's last fence for that reason. It is a
/// word of its own, and not a bit of a shared bitmap as in Linux. The entry code then needs one
/// register, and neither an atomic instruction nor the number of the hart.
///
/// ```
/// use core::sync::atomic::AtomicU32;
/// use lazy_mmu::riscv64::HartFlags;
///
/// const HARTS: usize = 4;
///
/// /// The memory of a hart. While the kernel runs, `sscratch` points to it.
/// #[repr(C, align(64))]
/// struct PerHart {
///     new_mappings: AtomicU32,
///     /// A register that the entry code saves before it has a stack.
///     scratch: u64,
/// }
///
/// # const NEW: PerHart = PerHart { new_mappings: AtomicU32::new(0), scratch: 0 };
/// static HART: [PerHart; HARTS] = [NEW; HARTS];
/// # fn hart_number() -> usize { 0 }
///
/// struct Flags;
///
/// // SAFETY: there is one flag for each hart. The image of the kernel contains the flags, so they
/// // are mapped before a hart uses the tables. Only the crate and the entry code write them.
/// unsafe impl HartFlags for Flags {
///     fn for_each(set: impl FnMut(&AtomicU32)) {
///         HART.iter().map(|it| &it.new_mappings).for_each(set);
///     }
///     fn this_hart() -> &'static AtomicU32 {
///         &HART[hart_number()].new_mappings
///     }
/// }
/// ```
///
/// # Safety
///
/// * [`for_each`](Self::for_each) passes the flag of every hart that uses the tables.
/// * [`this_hart`](Self::this_hart) returns the flag of the hart that calls it. The crate calls it
///   only in [`OnFault::check`].
/// * Every hart may access the flags at any time without a fault. Their memory is never newly
///   mapped while harts run.
/// * Only the crate, and the code that [`check_new_mappings!`](super::check_new_mappings) makes,
///   change the flags.
/// * The methods do not unwind, do not open a section, and do not store through this crate.
pub unsafe trait HartFlags: 'static {
    /// Calls `set` with the flag of each hart.
    fn for_each(set: impl FnMut(&AtomicU32));

    /// Returns the flag of the hart that executes the call.
    fn this_hart() -> &'static AtomicU32;
}

/// The other harts execute the fence of a new mapping on fault. An invalidation goes to the harts
/// by `H`, because it must be complete when it returns.
///
/// A mapping then costs a store for each hart instead of an interrupt. A hart that does not use the
/// mapping pays one fence at its next trap.
///
/// # The duties of the kernel
///
/// The implementation of [`Kernel`](super::Kernel) promises them.
///
/// * **At the very start of each trap**, also of interrupts, the entry code checks the flag
///   ([`check_new_mappings!`](super::check_new_mappings)). Until then it accesses neither a stack
///   nor a task's structure that may be newly mapped. Otherwise the access faults, its handler
///   accesses the same stack, and the kernel reports a stack overflow.
/// * **On the return path**, before it loads `sepc` and `sstatus`, the exit code checks the flag
///   again. It accesses the stack after the load, and a fault there would overwrite the two
///   registers. Interrupts stay masked from the check to `sret`.
/// * **Before it switches to another stack or task structure**, the scheduler
///   [checks](Self::check) the flag, with interrupts masked.
/// * **A page fault whose entry permits the access** is spurious, at any address. The handler
///   calls [`fix_spurious_fault`](super::fix_spurious_fault), and returns. The check at the start
///   of the trap may have cleared the flag for another reason, so the handler does not look at it.
/// * **Code that cannot take a trap**, for example the exit code after it has loaded `sepc`, uses
///   only mappings that existed before the last check.
/// * **All stores** that make entries valid go through this crate, or are
///   [noted](crate::note_stores). Linux forgot one kind, the pages of its kfence pool (fixed in
///   8d6c8c40e733).
/// * **The number of the hart**, if `this_hart` or the entry code uses it, is loaded with the width
///   of its field, and there is a flag for each number. Linux read a 32-bit number as 64 bits
///   (e108c8a94f3f), and its bitmap had the wrong size (26c171fc4853).
/// * **A hart that comes online** executes `sfence.vma x0, x0` after its flag is among those that
///   `for_each` passes.
///
/// * **The duties of `H`** hold too, for example those of [`Sbi`](super::Sbi).
///
/// A hart that leaves the idle state by `wfi` without a trap has no check. Its next access may
/// fault, and the handler repairs it.
///
/// ```
/// # use core::mem::offset_of;
/// # use core::sync::atomic::{AtomicU8, AtomicU32};
/// # use lazy_mmu::riscv64::HartFlags;
/// use lazy_mmu::riscv64::{ByteAt, Kernel, OnFault, PreemptCountAt, Sbi, Tp};
///
/// # static FLAGS: [AtomicU32; 4] = [const { AtomicU32::new(0) }; 4];
/// # struct Flags;
/// # unsafe impl HartFlags for Flags {
/// #     fn for_each(set: impl FnMut(&AtomicU32)) { FLAGS.iter().for_each(set); }
/// #     fn this_hart() -> &'static AtomicU32 { &FLAGS[0] }
/// # }
/// # #[repr(C)]
/// # struct Task {
/// #     preempt_count: AtomicU32,
/// #     lazy_mmu: AtomicU8,
/// # }
/// struct MyKernel;
///
/// // SAFETY: the entry and exit code check the flags (`check_new_mappings!`), and the handler of
/// // page faults repairs spurious ones. The other duties are kept as in the example of `Kernel`.
/// unsafe impl Kernel for MyKernel {
///     type Harts = OnFault<Flags, Sbi>; // `Flags` is that of `HartFlags`
///     // `Task`, `Bits` and `Interrupt` as in that example
/// #   type Task = Tp;
/// #   type Bits = ByteAt<{ offset_of!(Task, lazy_mmu) }>;
/// #   type Interrupt = PreemptCountAt<{ offset_of!(Task, preempt_count) }, 0x00ff_ff00>;
/// }
/// ```
#[derive(Debug)]
pub struct OnFault<F, H>(PhantomData<(F, H)>);

impl<F: HartFlags, H: Harts> OnFault<F, H> {
    /// Executes the local fence if the flag of this hart is set, and returns whether it was.
    ///
    /// Rust code calls it: a scheduler, or a trap handler on a stack that was mapped before the
    /// last check.
    ///
    /// ```no_run
    /// # use core::sync::atomic::AtomicU32;
    /// # use lazy_mmu::riscv64::{HartFlags, OnFault, Sbi};
    /// # static FLAG: AtomicU32 = AtomicU32::new(0);
    /// # struct Flags;
    /// # unsafe impl HartFlags for Flags {
    /// #     fn for_each(mut set: impl FnMut(&AtomicU32)) { set(&FLAG); }
    /// #     fn this_hart() -> &'static AtomicU32 { &FLAG }
    /// # }
    /// # struct Task;
    /// /// Switches to `next`, whose stack may be newly mapped. Interrupts are masked.
    /// fn switch_to(next: &'static Task) {
    ///     // SAFETY: interrupts are masked.
    ///     unsafe { OnFault::<Flags, Sbi>::check() };
    ///     // Here the kernel exchanges the stacks and the registers.
    /// }
    /// ```
    ///
    /// # Safety
    ///
    /// Interrupts are masked on this hart. Otherwise the entry code of an interrupt could find the
    /// flag clear before the fence, and fault on its stack. A caller that moves to another hart
    /// could clear that hart's flag without a fence there.
    ///
    /// # Panics
    ///
    /// On an architecture other than RISC-V, if the flag is set.
    #[inline]
    pub unsafe fn check() -> bool {
        let is_set = take(F::this_hart());
        if is_set {
            local_fence();
        }
        is_set
    }
}

/// Clears the flag of this hart, and returns whether it was set. The caller executes the fence.
#[inline]
fn take(flag: &AtomicU32) -> bool {
    let is_set = flag.load(Ordering::Relaxed) != 0;
    if is_set {
        // Before the fence: a hart that sets the flag from now on is not lost. If it sets the flag
        // just before this store, its entries are visible to the fence, because the store comes
        // after the other hart's store to the same word.
        flag.store(0, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }
    is_set
}

// SAFETY: the kernel promises that the harts check their flags before an access can fail for good,
// and the implementor of `H` promises the invalidations. The flags are those of all harts.
unsafe impl<F: HartFlags, H: Harts> Harts for OnFault<F, H> {
    #[inline]
    fn fence() {
        // A hart that sees its flag sees the entries.
        fence(Ordering::Release);
        F::for_each(|flag| flag.store(1, Ordering::Relaxed));
    }

    #[inline]
    fn invalidate(invalidations: &[Invalidation]) {
        H::invalidate(invalidations);
    }

    #[inline]
    fn invalidate_all() {
        H::invalidate_all();
    }
}

/// Returns the assembly of the check at the start of a trap, for
/// [`OnFault`](crate::riscv64::OnFault): five instructions, as a string literal.
///
/// The first argument is a register that the code may change. The second is the operand of a load:
/// the flag of this hart, as in [`HartFlags`](crate::riscv64::HartFlags). The local label is `9`.
/// The text has no other side effect. Interrupts are masked, as they are when a trap begins.
///
/// The register is free only after the entry code has saved it in memory that is not newly mapped,
/// such as a structure of the hart to which `sscratch` points:
///
/// ```
/// # macro_rules! naked_asm { ($($line:expr),* $(,)?) => { concat!($($line, "\n"),*) } }
/// use lazy_mmu::riscv64::check_new_mappings;
///
/// // The start of a trap handler: a function with `#[unsafe(naked)]`, or `global_asm!`.
/// # let text =
/// naked_asm!(
///     "csrrw tp, sscratch, tp", // the structure of the hart: see `HartFlags`
///     "sd t0, 8(tp)",
///     check_new_mappings!("t0", "0(tp)"),
///     "ld t0, 8(tp)",
///     // Only from here on does the code access a stack.
///     "csrrw tp, sscratch, tp",
/// )
/// # ;
/// # assert!(text.contains("sw zero, 0(tp)"));
/// ```
///
/// The example is for a trap from supervisor mode. After a trap from user mode, the last exchange
/// would give `tp` the user's value. The entry code then saves that value, and loads the task
/// pointer from the structure of the hart.
#[doc(hidden)]
#[macro_export]
macro_rules! __riscv64_check_new_mappings {
    ($scratch:literal, $flag:literal $(,)?) => {
        concat!(
            "lw ",
            $scratch,
            ", ",
            $flag,
            "\nbeqz ",
            $scratch,
            ", 9f\nsw zero, ",
            $flag,
            "\nfence rw, rw\nsfence.vma x0, x0\n9:"
        )
    };
}

#[cfg(test)]
mod tests;
