//! What the tests share.

use std::sync::atomic::AtomicU64;

use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf, USER_DATA};
use lazy_mmu::sim;

use crate::letters::letters;

/// A valid kernel page: needs the pair.
pub(crate) const KERNEL: Leaf = Leaf::page(0x4000_0000, KERNEL_DATA);
/// A valid user page: does not.
pub(crate) const USERS: Leaf = Leaf::page(0x4000_0000, USER_DATA);

/// `N` entries of a table.
pub(crate) fn slots<const N: usize>() -> [AtomicU64; N] {
    [const { AtomicU64::new(0) }; N]
}

/// The trace since the last call, one letter an event.
pub(crate) fn trace() -> String {
    letters(&sim::take_trace())
}

/// Runs a test body for both storages of the bits: a word shared with others' flags, and a byte of the thread's own.
macro_rules! for_both_storages {
    ($(#[$meta:meta])* fn $name:ident<$backend:ident>() $body:block) => {
        $(#[$meta])*
        #[test]
        fn $name() {
            fn body<$backend: lazy_mmu::Backend>() $body
            body::<lazy_mmu::sim::Sim>();
            assert_eq!(
                lazy_mmu::sim::flags().load() & lazy_mmu::sim::FLAGS,
                0,
                "the test leaves no bit behind"
            );
            lazy_mmu::sim::take_trace();
            body::<lazy_mmu::sim::SimOwnByte>();
            assert_eq!(lazy_mmu::sim::bits::<lazy_mmu::sim::SimOwnByte>(), lazy_mmu::Bits::EMPTY);
        }
    };
}
pub(crate) use for_both_storages;
