//! Row C13 through `Global`: before the first task the registered backend has the inert bits, too.

use std::sync::atomic::AtomicU8;

use lazy_mmu::aarch64::{Aarch64, ByteAt, Kernel, MaybeNull, PreemptCountAt, TaskPointer};
use lazy_mmu_testing::prelude::*;

#[repr(C, align(8))]
struct ThreadInfo {
    bits: AtomicU8,
    preempt_count: AtomicU64,
}

std::thread_local! {
    static TASK: Cell<*mut u8> = const { Cell::new(std::ptr::null_mut()) };
}

struct Register;
impl TaskPointer for Register {
    fn current() -> *mut u8 {
        TASK.get()
    }
}

struct Early;
// SAFETY: the test lets the register point to a `ThreadInfo`, or be null before it has one.
unsafe impl Kernel for Early {
    type Task = MaybeNull<Register>;
    type Bits = ByteAt<0>;
    type Interrupt = PreemptCountAt<8, 1>;
}

/// `Aarch64<Early>` with the barriers of the simulated machine.
struct Hosted;
// SAFETY: the bits and the interrupt test are `Early`'s, the rest is `Sim`'s.
unsafe impl Backend for Hosted {
    type Storage = OwnByte;
    type Machine = Sim;

    fn current() -> OwnByte {
        Aarch64::<Early>::current()
    }

    fn in_interrupt() -> bool {
        Aarch64::<Early>::in_interrupt()
    }
}

lazy_mmu::set_global_backend!(Hosted);

#[test]
fn c13_before_the_first_task_through_the_registered_backend() {
    let [slot] = slots();
    with::<Global, _>(|mmu| {
        mmu.write(&slot, KERNEL);
        assert!(is_settled(&slot));
    });
    assert!(check_idle::<Global>().is_ok());
    assert!(unwinds(task::<Global>), "there is no task");
    assert_eq!(OwnByte::inert().load(), Bits::EMPTY);

    let info = ThreadInfo {
        bits: AtomicU8::new(0),
        preempt_count: AtomicU64::new(0),
    };
    TASK.set((&raw const info).cast_mut().cast());
    let mut task = task::<Global>();
    let mut section = task.enter();
    section.write(&slot, KERNEL);
    assert!(!is_settled(&slot), "deferred");
    drop(section);
    drop(task);
    assert!(is_settled(&slot));
    assert_eq!(info.bits.load(Ordering::Relaxed), 0);
    assert_eq!(info.preempt_count.get(), 0);
}
