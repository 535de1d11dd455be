//! Changes of other bits in the flags words of threads, by all threads and by the handlers.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use super::THREADS;
use crate::kernel::scheduler::{Thread, threads};
use crate::kernel::smp::CPUS;
use crate::kernel::thread_info::FOREIGN_FLAGS;

/// The number of users that change other threads' flags: the handlers of each CPU, and the threads.
/// Each has its own bit in each flags word.
const CHANGERS: usize = CPUS + THREADS;
/// The first of these bits.
const FIRST_FLAG: usize = 32;
/// Whether each user has set its bit, for each thread's flags word.
static IS_SET: [[AtomicBool; CHANGERS]; THREADS] =
    [const { [const { AtomicBool::new(false) }; CHANGERS] }; THREADS];
/// The number of changes.
pub(crate) static CHANGES: AtomicU64 = AtomicU64::new(0);

/// Returns the flags word of a thread, which others change too.
fn shared_flags(thread: &Thread) -> &AtomicU64 {
    &thread.infos[0].flags
}

/// Changes the bit of `changer` in the flags words of all threads.
pub(crate) fn change_flags(changer: usize) {
    for thread in 0..threads().len() {
        change_flag(thread, changer);
    }
}

/// Sets or clears the bit of `changer` in the flags word of a thread, and checks that the bit had
/// its expected value. The backends of half of the threads use that word.
fn change_flag(thread: usize, changer: usize) {
    let flags = shared_flags(&threads()[thread]);
    let is_set = &IS_SET[thread][changer];
    let bit = 1 << (FIRST_FLAG + changer);
    // Only this user writes to it.
    let was_set = is_set.load(Relaxed);
    let before = if was_set {
        flags.fetch_and(!bit, Relaxed)
    } else {
        flags.fetch_or(bit, Relaxed)
    };
    assert_eq!(
        before & bit != 0,
        was_set,
        "C10: another CPU's flag was lost"
    );
    is_set.store(!was_set, Relaxed);
    CHANGES.fetch_add(1, Relaxed);
}

/// Checks the final flags of all threads.
pub(crate) fn check() {
    for (number, thread) in threads().iter().enumerate() {
        // Handlers change their bits during this check.
        let of_threads = |flags: u64| flags & !(((1 << CPUS) - 1) << FIRST_FLAG);
        let expected = (CPUS..CHANGERS)
            .filter(|&it| IS_SET[number][it].load(Relaxed))
            .fold(FOREIGN_FLAGS, |flags, it| flags | 1 << (FIRST_FLAG + it));
        let flags = shared_flags(thread).load(Relaxed);
        assert_eq!(of_threads(flags), expected);
    }
}
