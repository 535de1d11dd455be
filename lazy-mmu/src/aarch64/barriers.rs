//! The barriers that a store to a translation table needs.

use aarch64_cpu::asm::barrier;

/// Executes the barrier pair: `dsb ishst`, then `isb`.
///
/// A kernel that implements [`Machine`](crate::Machine) itself calls it as its `barrier`: see the
/// example of [`Tlbs`](super::Tlbs).
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
