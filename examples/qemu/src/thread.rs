//! The threads of these kernels: one, unless a program has a [scheduler](crate::scheduler); the backends read its
//! `thread_info`.

use core::mem::offset_of;
use core::ptr::{from_ref, with_exposed_provenance};
use core::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};

use aarch64_cpu::registers::{Readable, SP_EL0, TPIDR_EL1, Writeable};
use lazy_mmu::Backend;
use lazy_mmu::aarch64::{Aarch64, ByteAt, FlagsAt, Kernel, PreemptCountAt, SpEl0, TpidrEl1};

/// What SP_EL0 and TPIDR_EL1 point to.
#[derive(Debug)]
#[repr(C)]
pub struct ThreadInfo {
    /// Flags of everybody. The mode's are 28 to 31.
    pub flags: AtomicU64,
    /// As in Linux: softirq, hardirq and NMI depth in bits 8 to 23.
    pub preempt_count: AtomicU32,
    /// The mode's bits, for the backend that has a byte of its own.
    pub lazy_mmu: AtomicU8,
}

impl ThreadInfo {
    /// That of a new thread: no bit of the mode's is set, those of others are [`FOREIGN_FLAGS`].
    pub(crate) const fn new() -> Self {
        Self {
            flags: AtomicU64::new(FOREIGN_FLAGS),
            preempt_count: AtomicU32::new(0),
            lazy_mmu: AtomicU8::new(0),
        }
    }
}

/// The one thread's, for the backend that finds it through SP_EL0.
pub static THREAD: ThreadInfo = ThreadInfo::new();

/// The same thread's, for the backend that finds it through TPIDR_EL1. Another one, so that a backend that reads the
/// wrong register is found out.
pub static OTHER_THREAD: ThreadInfo = ThreadInfo::new();

/// Flags of others, which must never change.
pub const FOREIGN_FLAGS: u64 = 0x8000_0000_0800_0001;

/// Loads the task pointers with those of the one thread.
pub fn init() {
    set_current([&THREAD, &OTHER_THREAD]);
}

/// Loads the task pointers, SP_EL0 and TPIDR_EL1.
pub fn set_current(infos: [&'static ThreadInfo; 2]) {
    let [sp_el0, tpidr_el1] = infos.map(|it| from_ref(it).expose_provenance() as u64);
    SP_EL0.set(sp_el0);
    TPIDR_EL1.set(tpidr_el1);
}

/// What the task pointers point to, SP_EL0 and TPIDR_EL1.
pub fn current() -> [&'static ThreadInfo; 2] {
    [SP_EL0.get(), TPIDR_EL1.get()].map(|address| {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "an address has the width of usize on aarch64"
        )]
        let info: *const ThreadInfo = with_exposed_provenance(address as usize);
        // SAFETY: `set_current` has loaded it, before the first interrupt, with a reference to a static.
        unsafe { &*info }
    })
}

/// Checks that the bits of the one thread are clear, and others' flags as they were, and that it is
/// in no interrupt.
pub fn check_clear() {
    for thread in [&THREAD, &OTHER_THREAD] {
        assert_eq!(thread.flags.load(Relaxed), FOREIGN_FLAGS);
        assert_eq!(thread.lazy_mmu.load(Relaxed), 0);
        assert_eq!(thread.preempt_count.load(Relaxed), 0);
    }
}

/// The kernel with the bits in its flags word, found through SP_EL0.
#[derive(Debug)]
pub struct Flags;

// SAFETY: SP_EL0 points to the thread's `ThreadInfo` from `init` on, and the thread lives forever;
// nobody else writes flags 28 to 31; the preempt count is Linux's; the scheduler, where there is
// one, executes `dsb ish` and `isb` at a context switch.
unsafe impl Kernel for Flags {
    type Task = SpEl0;
    type Bits = FlagsAt<{ offset_of!(ThreadInfo, flags) }, 28>;
    type Interrupt = PreemptCountAt<{ offset_of!(ThreadInfo, preempt_count) }, 0x00ff_ff00>;
}

/// The kernel with the bits in a byte, found through TPIDR_EL1.
#[derive(Debug)]
pub struct Byte;

// SAFETY: as above, with TPIDR_EL1; nobody else writes the byte.
unsafe impl Kernel for Byte {
    type Task = TpidrEl1;
    type Bits = ByteAt<{ offset_of!(ThreadInfo, lazy_mmu) }>;
    type Interrupt = PreemptCountAt<{ offset_of!(ThreadInfo, preempt_count) }, 0x00ff_ff00>;
}

/// The backend of [`Flags`].
pub type Mmu = Aarch64<Flags>;
/// The backend of [`Byte`].
pub type ByteMmu = Aarch64<Byte>;

/// A backend whose bits are in the one thread's [`ThreadInfo`].
pub trait Place: Backend {
    /// Where they are, and the register.
    const PLACE: &'static str;

    /// The thread, as this backend finds it.
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
