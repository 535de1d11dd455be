//! The hosted backend refuses a second handle of the same task, which safe code could not tell from
//! the first.

use lazy_mmu_testing::prelude::*;

/// The message of the panic that refuses a handle.
fn refused<B: Backend>() -> String {
    let panic = catch_unwind(|| task::<B>()).expect_err("a second handle");
    let text = panic.downcast::<&str>().expect("a message");
    (*text).to_owned()
}

const ALREADY: &str = "there is a handle of this task already";

for_both_storages! {
    fn a_second_handle_of_the_same_task_is_refused<B>() {
        let [slot] = slots();
        let mut first = task::<B>();
        assert!(refused::<B>().starts_with(ALREADY));
        // In its section too; and the section goes on.
        let mut section = first.enter();
        section.write(&slot, KERNEL);
        assert!(refused::<B>().starts_with(ALREADY));
        assert_eq!(bits::<B>(), Bits::ACTIVE.union(Bits::OWNED).union(Bits::PENDING));
        section.leave();
        assert_eq!(trace(), "(SDI)");
        // Dropped, it makes room for the next.
        drop(first);
        for _ in 0..3 {
            drop(task::<B>());
        }
        assert!(unwinds(|| {
            let _unwound = task::<B>();
            panic!("provoked");
        }));
        task::<B>().enter().write(&slot, KERNEL);
        assert_eq!(trace(), "(SDI)", "nothing is recorded of the handles themselves");
    }

    fn each_task_has_a_handle_of_its_own<B>() {
        let first = task::<B>();
        let other = spawn();
        switch_to(other);
        let second = task::<B>();
        assert!(refused::<B>().starts_with(ALREADY));
        // A handle is its own task's, whichever task runs when it is dropped.
        drop(first);
        assert!(refused::<B>().starts_with(ALREADY));
        switch_to(TaskId::FIRST);
        let first = task::<B>();
        drop((first, second));
        switch_to(other);
        drop(task::<B>());
        switch_to(TaskId::FIRST);
    }
}

/// A handle of a backend that wraps another one, and one of the registered backend, are handles of
/// the same bits. Bits elsewhere, or none, are another matter.
#[test]
fn a_handle_of_another_backend_with_the_same_bits_is_a_second_one() {
    struct Same;
    // SAFETY: nothing is changed.
    unsafe impl Wrapper for Same {
        type Inner = Sim;
    }

    let first = task::<Sim>();
    assert!(refused::<Wrapped<Same>>().starts_with(ALREADY));
    // `Sim` is the one that is registered.
    assert!(refused::<Global>().starts_with(ALREADY));
    let byte = task::<SimOwnByte>();
    let none = [task::<Eager<Sim>>(), task::<Eager<Sim>>()];
    drop((first, byte, none));

    let global = task::<Global>();
    assert!(refused::<Sim>().starts_with(ALREADY));
    drop(global);
    drop(task::<Wrapped<Same>>());
    drop(task::<Sim>());
}

#[test]
#[should_panic(expected = "there is a handle of this task already: use that one, or drop it")]
fn the_refusal_of_a_second_handle_says_what_to_do() {
    let _first = task::<Sim>();
    let _second = task::<Sim>();
}
