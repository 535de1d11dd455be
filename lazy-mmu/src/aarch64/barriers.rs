//! The barriers that a store to a table needs.

use aarch64_cpu::asm::barrier;

/// `dsb ishst; isb`, in this order.
///
/// # Panics
///
/// Off aarch64: there the tests of a kernel's code use [`sim::Sim`](crate#features).
#[inline(always)]
#[expect(clippy::inline_always, reason = "two instructions, less than the call")]
pub fn barrier_pair() {
    refuse_other_architectures();
    // Completes the earlier stores to the tables, for the walkers of the Inner Shareable domain.
    barrier::dsb(barrier::ISHST);
    // Later instructions of this CPU are fetched, and so translated, after that.
    barrier::isb(barrier::SY);
}

/// `dsb ishst`.
///
/// # Panics
///
/// Off aarch64: there the tests of a kernel's code use [`sim::Sim`](crate#features).
#[inline(always)]
#[expect(clippy::inline_always, reason = "one instruction")]
pub fn table_barrier() {
    refuse_other_architectures();
    barrier::dsb(barrier::ISHST);
}

/// # Panics
///
/// Off aarch64.
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
