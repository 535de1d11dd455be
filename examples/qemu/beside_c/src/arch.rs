//! The architecture's part of the forms: aarch64.

pub use lazy_mmu::aarch64::descriptor::{KernelLeaf, Leaf};
pub use lazy_mmu_qemu::thread::{ByteMmu, Mmu};

use crate::forms::limit;

/// The difference between the descriptors of consecutive pages.
pub const NEXT_PAGE: u64 = 4096;

// The forms by hand. x1 points to the slots, and x2 to those of the linear map. x3 is the number of
// pages, which is at least one. x4 is the first descriptor.

limit! {
    /// Returns. Its count is the cost of a call, and is subtracted from the other counts.
    nothing:
    "ret"
}

limit! {
    /// One store and one pair.
    limit_one:
    "str x4, [x1]",
    "dsb ishst",
    "isb",
    "ret"
}

limit! {
    /// The stores and one pair.
    limit_map:
    "2: str x4, [x1], #8",
    "add x4, x4, #4096",
    "subs x3, x3, #1",
    "b.ne 2b",
    "dsb ishst",
    "isb",
    "ret"
}

limit! {
    /// A pair after each store.
    limit_per_store:
    "2: str x4, [x1], #8",
    "dsb ishst",
    "isb",
    "add x4, x4, #4096",
    "subs x3, x3, #1",
    "b.ne 2b",
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
            "mov x9, #8",
            "2: cmp x3, x9",
            "csel x5, x3, x9, lo",
            "mov x6, x5",
            "mov x7, x4",
            "3: str x7, [x2], #8",
            $linear,
            "add x7, x7, #4096",
            "subs x6, x6, #1",
            "b.ne 3b",
            $eight,
            "mov x6, x5",
            "4: str x4, [x1], #8",
            $slot,
            "add x4, x4, #4096",
            "subs x6, x6, #1",
            "b.ne 4b",
            "subs x3, x3, x5",
            "b.ne 2b",
            $all,
            "ret"
        }
    };
}

limit_pagealloc! {
    /// A pair for each eight stores to the linear map, and one at the end.
    limit_map_pagealloc: "", "dsb ishst\nisb", "", "dsb ishst\nisb"
}

limit_pagealloc! {
    /// A pair for each eight stores to the linear map, which ends the mode, and one for each slot.
    limit_tolerant_pagealloc: "", "dsb ishst\nisb", "dsb ishst\nisb", ""
}

limit_pagealloc! {
    /// A pair for each store.
    limit_per_store_pagealloc: "dsb ishst\nisb", "", "dsb ishst\nisb", ""
}
