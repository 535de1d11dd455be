//! The structures to which the task pointers point, and which the backends read.
//!
//! A CPU has [`POINTERS`](thread::POINTERS) task pointers, and a thread has a structure for each.

use core::ptr::{from_ref, with_exposed_provenance};
use core::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};

use crate::thread;

/// The structure to which a task pointer points.
#[derive(Debug)]
#[repr(C)]
pub struct ThreadInfo {
    /// The flags of all users. Bits 28 to 31 are those of the mode.
    pub flags: AtomicU64,
    /// Linux's preempt count: the depth of softirqs, hardirqs and NMIs is in bits 8 to 23.
    pub preempt_count: AtomicU32,
    /// The bits of the mode, for the backend with its own byte.
    pub lazy_mmu: AtomicU8,
}

/// One hardirq in Linux's preempt count.
pub const HARDIRQ: u32 = 1 << 16;
/// The bits of Linux's preempt count that are set in interrupt context.
pub const INTERRUPT_MASK: u32 = 0x00ff_ff00;

/// The flags of other users, which must never change.
pub const FOREIGN_FLAGS: u64 = 0x8000_0000_0800_0001;

/// The structures of one thread.
pub type Infos = [&'static ThreadInfo; thread::POINTERS];

impl ThreadInfo {
    /// Returns the structure of a new thread. The mode's bits are clear, and the flags of other
    /// users are [`FOREIGN_FLAGS`].
    #[expect(clippy::new_without_default, reason = "it is the value of a static")]
    pub const fn new() -> Self {
        Self {
            flags: AtomicU64::new(FOREIGN_FLAGS),
            preempt_count: AtomicU32::new(0),
            lazy_mmu: AtomicU8::new(0),
        }
    }
}

/// Loads the task pointers.
pub fn set_current(infos: Infos) {
    thread::load_pointers(infos.map(|it| from_ref(it).expose_provenance()));
}

/// Returns the structures of the current or interrupted thread.
pub fn current() -> Infos {
    thread::pointers().map(|address| {
        let info: *const ThreadInfo = with_exposed_provenance(address);
        // SAFETY: before any interrupt, `set_current` has loaded a reference to a static.
        unsafe { &*info }
    })
}

/// Calls the handler of an interrupt. The preempt counts of the interrupted thread count it.
pub(crate) fn in_interrupt(handler: impl FnOnce()) {
    let infos = current();
    for info in infos {
        info.preempt_count.fetch_add(HARDIRQ, Relaxed);
    }
    handler();
    for info in infos {
        info.preempt_count.fetch_sub(HARDIRQ, Relaxed);
    }
}

/// Checks that the thread's bits and preempt count are zero, and other users' flags unchanged.
pub fn check_clear() {
    for info in current() {
        assert_eq!(info.flags.load(Relaxed), FOREIGN_FLAGS);
        assert_eq!(info.lazy_mmu.load(Relaxed), 0);
        assert_eq!(info.preempt_count.load(Relaxed), 0);
    }
}
