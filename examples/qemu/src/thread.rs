//! The threads of these kernels, whose `thread_info` the backends read. Only programs with a
//! [scheduler](crate::scheduler) have more than one.

use core::mem::offset_of;
use core::ptr::{from_ref, with_exposed_provenance};
use core::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};

use aarch64_cpu::registers::{Readable, SP_EL0, TPIDR_EL1, Writeable};
use lazy_mmu::Backend;
use lazy_mmu::aarch64::{Aarch64, ByteAt, FlagsAt, Kernel, PreemptCountAt, SpEl0, TpidrEl1};

/// The structure to which SP_EL0 and TPIDR_EL1 point.
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

impl ThreadInfo {
    /// Returns the structure of a new thread. The mode's bits are clear, and the flags of other
    /// users are [`FOREIGN_FLAGS`].
    pub(crate) const fn new() -> Self {
        Self {
            flags: AtomicU64::new(FOREIGN_FLAGS),
            preempt_count: AtomicU32::new(0),
            lazy_mmu: AtomicU8::new(0),
        }
    }
}

/// The structure of the only thread, for the backend that finds it through SP_EL0.
pub static THREAD: ThreadInfo = ThreadInfo::new();

/// The structure of the same thread, for the backend that finds it through TPIDR_EL1. It is a
/// second structure, because a backend that reads the wrong register then fails.
pub static OTHER_THREAD: ThreadInfo = ThreadInfo::new();

/// The flags of other users, which must never change.
pub const FOREIGN_FLAGS: u64 = 0x8000_0000_0800_0001;

/// Loads the task pointers of the only thread.
pub fn init() {
    set_current([&THREAD, &OTHER_THREAD]);
}

/// Loads the task pointers SP_EL0 and TPIDR_EL1.
pub fn set_current(infos: [&'static ThreadInfo; 2]) {
    let [sp_el0, tpidr_el1] = infos.map(|it| from_ref(it).expose_provenance() as u64);
    SP_EL0.set(sp_el0);
    TPIDR_EL1.set(tpidr_el1);
}

/// Returns the structures to which SP_EL0 and TPIDR_EL1 point.
pub fn current() -> [&'static ThreadInfo; 2] {
    [SP_EL0.get(), TPIDR_EL1.get()].map(|address| {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "an address has the width of usize on aarch64"
        )]
        let info: *const ThreadInfo = with_exposed_provenance(address as usize);
        // SAFETY: before any interrupt, `set_current` has loaded a reference to a static.
        unsafe { &*info }
    })
}

/// Checks that the thread's bits and preempt count are zero, and other users' flags unchanged.
pub fn check_clear() {
    for thread in [&THREAD, &OTHER_THREAD] {
        assert_eq!(thread.flags.load(Relaxed), FOREIGN_FLAGS);
        assert_eq!(thread.lazy_mmu.load(Relaxed), 0);
        assert_eq!(thread.preempt_count.load(Relaxed), 0);
    }
}

/// The kernel whose bits are in a flags word, found through SP_EL0.
#[derive(Debug)]
pub struct Flags;

// SAFETY: after `init`, SP_EL0 points to the thread's `ThreadInfo`, and the thread lives forever.
// Other code does not write to flags 28 to 31. The preempt count is Linux's. A scheduler executes
// `dsb ish` and `isb` at a context switch.
unsafe impl Kernel for Flags {
    type Task = SpEl0;
    type Bits = FlagsAt<{ offset_of!(ThreadInfo, flags) }, 28>;
    type Interrupt = PreemptCountAt<{ offset_of!(ThreadInfo, preempt_count) }, 0x00ff_ff00>;
}

/// The kernel whose bits are in a byte, found through TPIDR_EL1.
#[derive(Debug)]
pub struct Byte;

// SAFETY: as above, with TPIDR_EL1. Other code does not write to the byte.
unsafe impl Kernel for Byte {
    type Task = TpidrEl1;
    type Bits = ByteAt<{ offset_of!(ThreadInfo, lazy_mmu) }>;
    type Interrupt = PreemptCountAt<{ offset_of!(ThreadInfo, preempt_count) }, 0x00ff_ff00>;
}

/// The backend of [`Flags`].
pub type Mmu = Aarch64<Flags>;
/// The backend of [`Byte`].
pub type ByteMmu = Aarch64<Byte>;

/// A backend whose bits are in the only thread's [`ThreadInfo`].
pub trait Place: Backend {
    /// The place of the bits, and the register.
    const PLACE: &'static str;

    /// Returns the structure of the thread that this backend finds.
    fn thread() -> &'static ThreadInfo;
}

impl Place for Mmu {
    const PLACE: &'static str = "flags word, SP_EL0";

    fn thread() -> &'static ThreadInfo {
        &THREAD
    }
}

impl Place for ByteMmu {
    const PLACE: &'static str = "own byte, TPIDR_EL1";

    fn thread() -> &'static ThreadInfo {
        &OTHER_THREAD
    }
}
