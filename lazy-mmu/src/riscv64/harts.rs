//! The fences of the other harts, which `sfence.vma` does not reach.

use super::mode::PAGE_SHIFT;
use super::tlb::{self, Leaves};
#[cfg(doc)]
use super::{OnFault, Tlbs};
use crate::protocol::range::Invalidation;

/// How a kernel's other harts execute their fences.
///
/// The crate executes a fence on the hart that runs the code. It calls the kernel's [`Harts`] for
/// the others. The ready implementations are:
///
/// * [`OneHart`]: the tables have one hart only.
/// * [`Sbi`]: the firmware interrupts the other harts.
/// * [`OnFault`]: the other harts execute the fence of a new mapping when a fault, or another trap,
///   occurs on them. This costs no interrupt.
///
/// A kernel with its own interprocessor interrupts implements the trait. [`Tlbs`] shows it. A
/// kernel that starts with one hart does too: its methods do nothing until the second hart runs.
///
/// The crate calls the methods wherever the kernel stores entries: in handlers, with interrupts
/// masked, and under spinlocks. Two harts may therefore wait for each other. A method that waits
/// for other harts must answer their requests meanwhile, and so must a loop that waits for a
/// spinlock with interrupts masked, if the holder of the lock stores entries.
///
/// # Safety
///
/// The implementor promises, for each hart that may use the tables or has translations of them in
/// its TLB, except the one that executes the call:
///
/// * **Fence.** After [`fence`](Self::fence) has returned, the hart does not fault again and again
///   because of an entry that it cached as invalid before the caller's stores. The hart has
///   executed `sfence.vma x0, x0`, or executes it before the access, or its fault handler executes
///   it and repeats the access ([`OnFault`]).
/// * **Invalidation.** When [`invalidate`](Self::invalidate) and
///   [`invalidate_all`](Self::invalidate_all) return, the hart has executed the fences, and its
///   earlier accesses through the old translations are complete. The hart acknowledges by a release
///   store after its fences, for example, and the caller reads it by an acquire load. Both methods
///   include the effect of `fence` for the addresses that they cover.
/// * **Order.** The caller's earlier stores are visible to the hart before it executes its fence.
///   An implementation that writes a device register executes `fence w, o` first, for example. The
///   compiler does not move the caller's earlier stores after the call, or its later accesses
///   before an invalidation.
/// * **Migration.** If the scheduler can move the caller to another hart between the crate's first
///   local fence and the end of the call, the methods also reach the hart that executes the call.
///   [`Sbi`] always does.
/// * **A hart that comes online** later executes `sfence.vma x0, x0` before its first access
///   through the tables, after it has become one that the methods reach.
/// * **No recursion.** The methods do not unwind, do not open a section, and do not store through
///   this crate.
pub unsafe trait Harts: 'static {
    /// Makes the other harts fence everything, because entries have become valid.
    fn fence();

    /// Makes the other harts execute [`Tlbs::invalidate_here`], and waits for them.
    ///
    /// If all ranges are [for this hart only](crate::VirtualRange::on_this_cpu), the crate does not
    /// call it. If only some are, the call contains them too, and the other harts may ignore them.
    fn invalidate(invalidations: &[Invalidation]);

    /// Makes the other harts execute `sfence.vma x0, x0`, and waits for them.
    fn invalidate_all();
}

/// The tables have one hart only, as long as the kernel runs.
///
/// The kernel promises this by its choice. A kernel that starts other harts later implements
/// [`Harts`](trait@Harts) instead.
///
/// ```
/// # use core::mem::offset_of;
/// # use core::sync::atomic::{AtomicU8, AtomicU32};
/// use lazy_mmu::riscv64::{ByteAt, Kernel, OneHart, PreemptCountAt, Tp};
///
/// # #[repr(C)]
/// # struct Task {
/// #     preempt_count: AtomicU32,
/// #     lazy_mmu: AtomicU8,
/// # }
/// struct MyKernel;
///
/// // SAFETY: the machine has one hart. The other duties are kept as in the example of `Kernel`.
/// unsafe impl Kernel for MyKernel {
///     type Harts = OneHart;
///     // `Task`, `Bits` and `Interrupt` as in that example
/// #   type Task = Tp;
/// #   type Bits = ByteAt<{ offset_of!(Task, lazy_mmu) }>;
/// #   type Interrupt = PreemptCountAt<{ offset_of!(Task, preempt_count) }, 0x00ff_ff00>;
/// }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct OneHart;

// SAFETY: there is no other hart. The kernel promises this in its choice of `Kernel::Harts`.
unsafe impl Harts for OneHart {
    #[inline]
    fn fence() {}

    #[inline]
    fn invalidate(_: &[Invalidation]) {}

    #[inline]
    fn invalidate_all() {}
}

/// The firmware fences the other harts: the RFENCE extension of the SBI.
///
/// The calls are `sbi_remote_sfence_vma` and `sbi_remote_sfence_vma_asid`, for all harts (RISC-V
/// Supervisor Binary Interface Specification, "RFENCE Extension"). A range with an ASID takes the
/// second call, which keeps global entries. The first one has rs2 = x0.
///
/// # The duties of the kernel
///
/// The implementation of [`Kernel`](super::Kernel) promises them.
///
/// * The firmware has the extension. A kernel asks for it at boot (`sbi_probe_extension`).
/// * The firmware returns only after the harts have executed their fences. OpenSBI does. The
///   specification only says that the harts are interrupted.
/// * Each hart that uses the tables is one of the firmware's "all harts".
/// * A hart that comes online, or resumes with a new satp, executes `sfence.vma x0, x0` after the
///   firmware has started it, and before its first access through the tables.
/// * A panic aborts, as it does by default on `riscv64gc-unknown-none-elf`.
///
/// # Example
///
/// The crate makes the two calls itself. A dependency on a crate for the SBI would be larger than
/// the one instruction.
///
/// ```
/// use lazy_mmu::riscv64::{Mode, RemoteFence, Sbi};
/// use lazy_mmu::{Invalidation, Scope};
///
/// let range = Mode::Sv39.range(0xffff_ffc0_0000_0000, 3)?;
/// let pages = [Invalidation { range, scope: Scope::PAGES }];
/// let call = RemoteFence { start: 0xffff_ffc0_0000_0000, size: 0x3000, asid: None };
/// assert_eq!(Sbi::call(&pages), Some(call));
/// # Ok::<(), lazy_mmu::BadRange>(())
/// ```
///
/// # Panics
///
/// If the firmware does not have the extension, or reports another error. It may report one for an
/// address that the mode does not translate.
#[derive(Debug)]
#[non_exhaustive]
pub struct Sbi;

/// One call of the RFENCE extension, for all harts.
///
/// [`Sbi::call`] makes the call of an invalidation, and [`execute`](Self::execute) executes it.
/// [`Sbi`] shows an example.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RemoteFence {
    /// The first virtual address, in bytes.
    pub start: u64,
    /// The number of bytes. `u64::MAX` means every address, and entries of every level.
    pub size: u64,
    /// The ASID. `None` means every address space, and global entries too.
    pub asid: Option<u16>,
}

impl RemoteFence {
    /// Every address of every address space.
    pub const ALL: Self = Self {
        start: 0,
        size: u64::MAX,
        asid: None,
    };

    /// Executes the call. It returns after all harts have executed their fences, if the firmware
    /// keeps the duty on the page of [`Sbi`].
    ///
    /// # Panics
    ///
    /// If the firmware reports an error, and on an architecture other than RISC-V.
    #[inline]
    pub fn execute(self) {
        let error = remote_sfence_vma(self);
        assert!(
            error == 0,
            "the SBI refuses a remote fence with error {error}: does it have the RFENCE extension?"
        );
    }
}

impl Sbi {
    /// Returns the call for `invalidations`, or `None` if they have no pages.
    ///
    /// One range of leaves is the range of the call, or one page of it if it is one leaf. For
    /// several ranges, and for [all levels](crate::Scope::ALL_LEVELS), the call is for every
    /// address. It names the ASID if all ranges have the same one. There is one call in any case,
    /// because it interrupts every hart.
    #[must_use]
    pub fn call(invalidations: &[Invalidation]) -> Option<RemoteFence> {
        let mut filled = invalidations.iter().filter(|it| it.range.pages() != 0);
        let first = filled.next()?;
        let leaves = Leaves::new(first).filter(|_| filled.next().is_none());
        let (range, asid) = (first.range, tlb::common_asid(invalidations));
        let all = RemoteFence {
            asid,
            ..RemoteFence::ALL
        };
        Some(leaves.map_or(all, |leaves| RemoteFence {
            start: range.start(),
            size: match leaves.left {
                // A fence for any address of a leaf removes it.
                1 => 1 << PAGE_SHIFT,
                _ => range.pages().saturating_mul(1 << PAGE_SHIFT),
            },
            asid: range.asid(),
        }))
    }
}

// SAFETY: the kernel promises the properties of the firmware, and a call for all harts reaches this
// one too. `execute` orders the stores.
unsafe impl Harts for Sbi {
    #[inline]
    fn fence() {
        RemoteFence::ALL.execute();
    }

    #[inline]
    fn invalidate(invalidations: &[Invalidation]) {
        if let Some(call) = Self::call(invalidations) {
            call.execute();
        }
    }

    #[inline]
    fn invalidate_all() {
        RemoteFence::ALL.execute();
    }
}

/// Calls the SBI, and returns its error code, which is 0 if there is no error.
#[cfg(target_arch = "riscv64")]
#[inline]
fn remote_sfence_vma(fence: RemoteFence) -> i64 {
    /// The extension "RFNC".
    const RFENCE: u64 = 0x5246_4e43;

    let (function, asid): (u64, u64) = match fence.asid {
        None => (1, 0),
        Some(asid) => (2, asid.into()),
    };
    let error;
    // SAFETY: the call changes no memory of the kernel. The compiler does not move accesses over
    // it, because the options do not contain `nomem`. The SBI keeps all registers but a0 and a1.
    unsafe {
        core::arch::asm!(
            // The harts must see the earlier stores of this hart before the firmware interrupts
            // them, by a store to memory or to a device.
            "fence rw, orw",
            "ecall",
            // The mask of harts. With the base -1, the call is for all harts.
            inlateout("a0") 0_u64 => error,
            inlateout("a1") u64::MAX => _,
            in("a2") fence.start,
            in("a3") fence.size,
            in("a4") asid,
            in("a6") function,
            in("a7") RFENCE,
            options(nostack),
        );
    }
    error
}

#[cfg(not(target_arch = "riscv64"))]
#[track_caller]
fn remote_sfence_vma(fence: RemoteFence) -> i64 {
    let asid = fence.asid.map_or(u64::MAX, u64::from);
    let operands = [fence.start, fence.size, asid];
    super::barriers::elsewhere("ecall: remote fence {}, {}, {}", &operands);
    0
}

#[cfg(test)]
mod tests {
    use super::{Harts, Invalidation, RemoteFence, Sbi};
    use crate::protocol::range::Scope;
    use crate::riscv64::Mode;
    extern crate std;

    const KERNEL: u64 = 0xffff_ffc0_0000_0000;

    #[test]
    fn r04_the_firmware_is_told_the_ranges() {
        let invalidation = |start, pages, scope| Invalidation {
            range: Mode::Sv48.range(start, pages).unwrap(),
            scope,
        };
        let fence = |start, size, asid| RemoteFence { start, size, asid };
        let call = |its: &[Invalidation]| Sbi::call(its);
        let of_asid = |it: Invalidation, asid| Invalidation {
            range: it.range.of_asid(asid),
            ..it
        };
        let kernel = invalidation(KERNEL, 3, Scope::PAGES);
        assert_eq!(call(&[kernel]), Some(fence(KERNEL, 0x3000, None)));
        // The ASID 0 is a value of the call with an ASID.
        let user = of_asid(kernel, 0);
        assert_eq!(call(&[user]), Some(fence(KERNEL, 0x3000, Some(0))));
        // One page of a leaf removes the leaf, also if the range begins inside it.
        let large = invalidation(KERNEL, 512, Scope::leaves(21));
        assert_eq!(call(&[large]), Some(fence(KERNEL, 0x1000, None)));
        let inside = invalidation(KERNEL + 0x1000, 2, Scope::leaves(21));
        let one_page = fence(KERNEL + 0x1000, 0x1000, None);
        assert_eq!(call(&[inside]), Some(one_page));
        let across = invalidation(KERNEL + 0x1000, 512, Scope::leaves(21));
        let all_pages = fence(KERNEL + 0x1000, 0x20_0000, None);
        assert_eq!(call(&[across]), Some(all_pages));
        // Several ranges are one call. An empty range does not count.
        let empty = invalidation(KERNEL, 0, Scope::ALL_LEVELS);
        assert_eq!(call(&[kernel, user]), Some(RemoteFence::ALL));
        assert_eq!(call(&[user, user]), Some(fence(0, u64::MAX, Some(0))));
        assert_eq!(call(&[empty, kernel]), call(&[kernel]));
        // A table needs a fence without an address.
        let table = invalidation(KERNEL, 512, Scope::ALL_LEVELS);
        assert_eq!(call(&[table]), Some(RemoteFence::ALL));
        let of_user = Some(fence(0, u64::MAX, Some(7)));
        assert_eq!(call(&[of_asid(table, 7)]), of_user);
        assert_eq!(call(&[]), None);
        assert_eq!(call(&[empty]), None);
        // The whole address space has more bytes than 64 bits hold.
        let space = invalidation(0, 1 << 52, Scope::PAGES);
        assert_eq!(call(&[space]), Some(fence(0, u64::MAX, None)));
    }

    #[cfg(not(target_arch = "riscv64"))]
    #[test]
    #[should_panic(expected = "tests on the host use `sim::Sim`")]
    fn the_firmware_is_not_called_on_a_host() {
        Sbi::fence();
    }
}
