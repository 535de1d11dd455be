//! The architecture's part of the forms: RISC-V.

use core::mem::offset_of;

use lazy_mmu::riscv64::{ByteAt, FlagsAt, Kernel, OneHart, PreemptCountAt, Riscv64, Tp};
use lazy_mmu_qemu_riscv64::thread_info::ThreadInfo;

pub use lazy_mmu::riscv64::descriptor::{KernelLeaf, Leaf};

use crate::forms::limit;

/// The difference between the descriptors of consecutive pages. The number of a frame begins at bit
/// 10 of a descriptor.
pub const NEXT_PAGE: u64 = 1 << 10;

/// The kernel whose bits are in a flags word. It has one hart, so that the barrier is one
/// instruction. What reaches other harts depends on the kernel, and is not counted.
#[derive(Debug)]
pub struct Flags;

// SAFETY: the duties are kept as in `lazy_mmu_qemu_riscv64::thread`, on a machine with one hart.
unsafe impl Kernel for Flags {
    type Task = Tp;
    type Bits = FlagsAt<{ offset_of!(ThreadInfo, flags) }, 28>;
    type Interrupt = PreemptCountAt<{ offset_of!(ThreadInfo, preempt_count) }, 0x00ff_ff00>;
    type Harts = OneHart;
}

/// The kernel whose bits are in a byte, on one hart too.
#[derive(Debug)]
pub struct Byte;

// SAFETY: as above. Other code does not write to the byte.
unsafe impl Kernel for Byte {
    type Task = Tp;
    type Bits = ByteAt<{ offset_of!(ThreadInfo, lazy_mmu) }>;
    type Interrupt = PreemptCountAt<{ offset_of!(ThreadInfo, preempt_count) }, 0x00ff_ff00>;
    type Harts = OneHart;
}

/// The backend of [`Flags`].
pub type Mmu = Riscv64<Flags>;
/// The backend of [`Byte`].
pub type ByteMmu = Riscv64<Byte>;

// The forms by hand. a1 points to the slots, and a2 to those of the linear map. a3 is the number of
// pages, which is at least one. a4 is the first descriptor.

limit! {
    /// Returns. Its count is the cost of a call, and is subtracted from the other counts.
    nothing:
    "ret"
}

limit! {
    /// One store and one fence.
    limit_one:
    "sd a4, (a1)",
    "sfence.vma x0, x0",
    "ret"
}

limit! {
    /// The stores and one fence.
    limit_map:
    "slli a3, a3, 3",
    "add a3, a1, a3",
    "2: sd a4, (a1)",
    "addi a1, a1, 8",
    "addi a4, a4, 1024",
    "bne a1, a3, 2b",
    "sfence.vma x0, x0",
    "ret"
}

limit! {
    /// A fence after each store.
    limit_per_store:
    "slli a3, a3, 3",
    "add a3, a1, a3",
    "2: sd a4, (a1)",
    "sfence.vma x0, x0",
    "addi a1, a1, 8",
    "addi a4, a4, 1024",
    "bne a1, a3, 2b",
    "ret"
}

/// Defines a form that works by eights: stores to the linear map, and then stores to the slots. The
/// instructions in the arguments follow each store to the linear map, the last of eight, each store
/// to a slot, and the end.
macro_rules! limit_pagealloc {
    (
        $(#[$doc:meta])* $name:ident:
        $linear:literal, $eight:literal, $slot:literal, $all:literal
    ) => {
        limit! {
            $(#[$doc])*
            $name:
            "slli a3, a3, 3",
            // a3 is the end of the slots, and a5 the end of the next eight.
            "add a3, a1, a3",
            "2: addi a5, a1, 64",
            "bgeu a3, a5, 3f",
            "mv a5, a3",
            "3: mv a6, a1",
            "mv a7, a4",
            "4: sd a7, (a2)",
            $linear,
            "addi a2, a2, 8",
            "addi a6, a6, 8",
            "addi a7, a7, 1024",
            "bne a6, a5, 4b",
            $eight,
            "5: sd a4, (a1)",
            $slot,
            "addi a1, a1, 8",
            "addi a4, a4, 1024",
            "bne a1, a5, 5b",
            "bne a1, a3, 2b",
            $all,
            "ret"
        }
    };
}

limit_pagealloc! {
    /// A fence for each eight stores to the linear map, and one at the end.
    limit_map_pagealloc: "", "sfence.vma x0, x0", "", "sfence.vma x0, x0"
}

limit_pagealloc! {
    /// A fence for each eight stores to the linear map, which ends the mode, and one for each slot.
    limit_tolerant_pagealloc: "", "sfence.vma x0, x0", "sfence.vma x0, x0", ""
}

limit_pagealloc! {
    /// A fence for each store.
    limit_per_store_pagealloc: "sfence.vma x0, x0", "", "sfence.vma x0, x0", ""
}
