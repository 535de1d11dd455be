//! The barriers that a store to a translation table needs.

use aarch64_cpu::asm::barrier;

/// Executes the barrier pair: `dsb ishst`, then `isb`.
///
/// A kernel that implements [`Machine`](crate::Machine) itself calls it as its `barrier`: see the
/// example of [`Tlbs`](super::Tlbs). Code that stores an entry without this crate calls it too:
///
/// ```
/// use core::sync::atomic::{AtomicU64, Ordering};
/// use lazy_mmu::aarch64::barrier_pair;
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf, memory_type};
///
/// /// Maps the UART at boot, before the task pointer is set.
/// fn map_uart(slot: &AtomicU64) {
///     let uart = Leaf::page(0x0900_0000, KERNEL_DATA | memory_type(0));
///     slot.store(uart.0, Ordering::Relaxed);
///     barrier_pair(); // This CPU may access the UART after the pair.
/// }
/// ```
///
/// # Panics
///
/// On an architecture other than aarch64. Tests on the host use [`sim::Sim`](crate#features)
/// instead.
#[inline(always)]
#[expect(clippy::inline_always, reason = "two instructions, less than the call")]
pub fn barrier_pair() {
    refuse_other_architectures();
    // Completes the earlier stores to the tables for the walkers of the Inner Shareable domain.
    barrier::dsb(barrier::ISHST);
    // Makes this CPU fetch, and so translate, its later instructions after the stores are complete.
    barrier::isb(barrier::SY);
}

/// Executes `dsb ishst`: the walkers of the Inner Shareable domain see the earlier stores to the
/// tables before any later store.
///
/// It is the first half of the [barrier pair](barrier_pair). A store that links a table needs it,
/// because a walker that finds the table must find it filled.
///
/// ```
/// use core::sync::atomic::{AtomicU64, Ordering};
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf, Table};
/// use lazy_mmu::aarch64::{barrier_pair, table_barrier};
///
/// /// Maps a page through a new table at boot, before the task pointer is set.
/// fn map_page(parent: &AtomicU64, table: Table, entries: &[AtomicU64]) {
///     entries[0].store(Leaf::page(0x4000_0000, KERNEL_DATA).0, Ordering::Relaxed);
///     table_barrier(); // A walker that finds the table finds the page too.
///     parent.store(table.0, Ordering::Relaxed);
///     barrier_pair();
/// }
/// ```
///
/// # Panics
///
/// As [`barrier_pair`].
#[inline(always)]
#[expect(clippy::inline_always, reason = "one instruction")]
pub fn table_barrier() {
    refuse_other_architectures();
    barrier::dsb(barrier::ISHST);
}

/// Panics on an architecture other than aarch64, where the barriers do not exist.
///
/// # Panics
///
/// On an architecture other than aarch64.
#[inline(always)]
#[cfg_attr(not(target_arch = "aarch64"), track_caller)]
pub(super) fn refuse_other_architectures() {
    #[cfg(not(target_arch = "aarch64"))]
    panic!("an aarch64 barrier on another architecture: tests on the host use `sim::Sim`");
}

#[cfg(all(test, not(target_arch = "aarch64")))]
mod tests {
    #[test]
    #[should_panic(expected = "tests on the host use `sim::Sim`")]
    fn the_pair_says_what_to_use_on_a_host() {
        super::barrier_pair();
    }

    #[test]
    #[should_panic(expected = "tests on the host use `sim::Sim`")]
    fn so_does_the_table_barrier() {
        super::table_barrier();
    }
}
