// A guard may be made inside another section, and left after it. Its token is `Nested`: the
// outermost leave ends the mode, and later stores through the guard are immediate.
#![deny(warnings)]

use core::sync::atomic::AtomicU64;

use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
use lazy_mmu::sim::{Sim, bits, is_settled};
use lazy_mmu::{Bits, Task, with};

fn main() {
    let slot = AtomicU64::new(0);
    // SAFETY: this thread has only this handle.
    let mut task = unsafe { Task::<Sim>::current() };
    let mut section = None;
    with::<Sim, _>(|_| {
        let mut opened = task.enter();
        opened.write(&slot, Leaf::page(0x4000_0000, KERNEL_DATA));
        section = Some(opened);
    });
    assert!(is_settled(&slot), "the closure's leave flushes");
    let mut section = section.unwrap();
    section.write(&slot, Leaf::page(0x4000_0000, KERNEL_DATA));
    assert!(is_settled(&slot), "the store is immediate");
    section.leave();
    assert_eq!(bits::<Sim>(), Bits::EMPTY);
}
