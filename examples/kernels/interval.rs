//! The intervals of the timers. They are random, so that interrupts occur everywhere.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The number of different intervals.
const SPREAD: u64 = 256;

/// Returns a random number of ticks, which is at least `ticks`, and at most 255 more.
pub(crate) fn at_least(ticks: u64) -> u64 {
    ticks + random() % SPREAD
}

/// Returns the upper bits of a linear congruential generator (Knuth's constants for MMIX).
fn random() -> u64 {
    static STATE: AtomicU64 = AtomicU64::new(1);
    let next = STATE
        .load(Relaxed)
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    STATE.store(next, Relaxed);
    next >> 33
}
