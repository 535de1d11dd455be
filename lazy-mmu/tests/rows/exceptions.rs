//! Synchronous exceptions of a thread, before and after each read of its bits, each change of them,
//! and each barrier.
//!
//! The QEMU programs have exceptions at each instruction. These tests check that each store of a
//! handler gets its pair.

use std::marker::PhantomData;
use std::mem;

use lazy_mmu_testing::prelude::*;

thread_local! {
    /// The number of points that were passed.
    static PASSED: Cell<usize> = const { Cell::new(0) };
    /// The point at which the exception occurs.
    static AT: Cell<usize> = const { Cell::new(0) };
    /// The handler of the exception.
    static HANDLER: Cell<Option<Handler>> = const { Cell::new(None) };
}

/// An exception handler, which stores to its own entry.
type Handler = fn(&AtomicU64);

/// A point at which an exception may occur.
fn point() {
    let passed = PASSED.get();
    PASSED.set(passed + 1);
    if passed == AT.get() {
        if let Some(handler) = HANDLER.take() {
            let [slot] = slots();
            handler(&slot);
            assert!(
                is_settled(&slot),
                "the end of the handler's section or pause flushes"
            );
        }
    }
}

fn around<R>(access: impl FnOnce() -> R) -> R {
    point();
    let result = access();
    point();
    result
}

/// The backend `B`, with a point before and after each access to the bits and each barrier.
struct Points<B>(PhantomData<B>);
type Excepted<B> = Changed<Points<B>>;

impl<B: Backend> Change for Points<B> {
    type Inner = B;
    type Machine = Wrapped<Self>;

    fn look(look: impl FnOnce() -> Bits) -> Bits {
        around(look)
    }

    fn change(change: impl FnOnce()) {
        around(change);
    }
}

// SAFETY: each method calls the method of `B`.
unsafe impl<B: Backend> Wrapper for Points<B> {
    type Inner = B;
    fn barrier() {
        around(B::Machine::barrier);
    }
    fn table_barrier() {
        around(B::Machine::table_barrier);
    }
    fn invalidate(invalidations: &[Invalidation]) {
        around(|| B::Machine::invalidate(invalidations));
    }
    fn invalidate_all() {
        around(B::Machine::invalidate_all);
    }
    fn observe(event: lazy_mmu::Event) {
        B::Machine::observe(event);
        point();
    }
}

/// The entries to which a program stores. All stores must have their pair at the end.
type Slots = [AtomicU64; 4];

#[lazy_mmu(backend = B)]
fn map<B: Backend>(slot: &AtomicU64) {
    write::<B, _>(slot, KERNEL);
}

/// Returns the handlers. They keep the duty of a handler: stores are in its own section or pause.
fn handlers<B: Backend>() -> [Handler; 6] {
    [
        map::<B>,
        |slot| {
            with::<B, _>(|mmu| {
                mmu.write(slot, KERNEL);
                mmu.flush();
                assert!(is_settled(slot), "the flush emits the pair");
                mmu.nest().write(slot, KERNEL);
                assert!(is_settled(slot), "the leave of the nested section flushes");
                mmu.write(slot, KERNEL);
            });
        },
        |slot| {
            paused::<B, _>(|| {
                write::<B, _>(slot, KERNEL);
                assert!(is_settled(slot), "a store in a pause");
                map::<B>(slot);
                assert!(is_settled(slot), "an inert section in a pause");
            });
        },
        |slot| {
            with::<B, _>(|mmu| {
                mmu.write(slot, KERNEL);
                mmu.paused(|| {
                    write::<B, _>(slot, KERNEL);
                    assert!(is_settled(slot), "a store in a pause of the section");
                });
            });
        },
        |_| flush_tlb_all::<B>(),
        |_| flush::<B>(),
    ]
}

fn programs<B: Backend>() -> [fn(&Slots); 7] {
    [
        |[a, b, c, _]| {
            with::<B, _>(|mmu| {
                mmu.write(a, KERNEL);
                mmu.nest().write(b, KERNEL);
                mmu.write(c, KERNEL);
                map::<B>(a);
                mmu.flush();
                mmu.write(b, KERNEL);
            });
        },
        |[a, b, c, d]| {
            let mut task = task::<B>();
            let mut section = task.enter();
            section.write(a, KERNEL);
            section.paused(|| write::<B, _>(b, KERNEL));
            section.write_range(std::slice::from_ref(c), |_| KERNEL);
            drop(section);
            write::<B, _>(d, KERNEL);
        },
        // A guard is forgotten, and its handle opens another section.
        |[a, b, ..]| {
            let mut task = task::<B>();
            let mut section = task.enter();
            section.write(a, KERNEL);
            mem::forget(section);
            task.enter().write(b, KERNEL);
            assert!(is_settled(a) && is_settled(b));
        },
        // The same in a pause of other code. Then a guard is forgotten after its own pause.
        |[a, b, ..]| {
            let mut task = task::<B>();
            let mut section = task.enter();
            section.write(a, KERNEL);
            mem::forget(section);
            paused::<B, _>(|| task.enter().write(b, KERNEL));
            let mut section = task.enter();
            section.paused(|| write::<B, _>(a, KERNEL));
            mem::forget(section);
            task.enter().write(b, KERNEL);
        },
        // A nested guard is forgotten after its pause.
        |[a, b, c, _]| {
            with::<B, _>(|mmu| {
                let mut nested = mmu.nest();
                nested.write(a, KERNEL);
                nested.paused(|| write::<B, _>(b, KERNEL));
                nested.write(b, KERNEL);
                mem::forget(nested);
                mmu.write(c, KERNEL);
            });
        },
        // A nested section is left inside a pause.
        |[a, b, c, _]| {
            let mut task = task::<B>();
            let mut section = task.enter();
            let mut nested = section.nest();
            nested.write(a, KERNEL);
            paused::<B, _>(|| drop(nested));
            section.write(b, KERNEL);
            section.write(c, KERNEL);
        },
        |[a, b, ..]| {
            with::<B, _>(|mmu| {
                mmu.write(a, KERNEL);
                flush_tlb_all::<B>();
                let mapping = mmu.write_pending(b, KERNEL, b);
                let proof = mmu.flush();
                mapping.get(&proof);
            });
        },
    ]
}

/// Runs a program with an exception at point `at`. Returns the number of points that it passed.
fn run<B: Backend>(program: fn(&Slots), at: usize, handler: Option<Handler>) -> usize {
    let slots: Slots = slots();
    PASSED.set(0);
    AT.set(at);
    HANDLER.set(handler);
    program(&slots);
    let passed = PASSED.get();
    assert!(HANDLER.take().is_none(), "the handler did not run");
    assert_eq!(bits::<B>(), Bits::EMPTY, "at {at}");
    for (number, slot) in slots.iter().enumerate() {
        assert!(is_settled(slot), "slot {number}, exception at {at}");
    }
    take_trace();
    passed
}

for_both_storages! {
    fn c05_exceptions_at_each_access_of_the_bits<B>() {
        // Miri takes up to a second for each exception.
        const STEP: usize = if cfg!(miri) { 41 } else { 1 };
        let mut runs = 0;
        for program in programs::<Excepted<B>>() {
            let points = run::<B>(program, 0, None);
            for handler in handlers::<Excepted<B>>() {
                for at in (0..points).step_by(STEP) {
                    run::<B>(program, at, Some(handler));
                    runs += 1;
                }
            }
        }
        println!("{runs} exceptions");
        assert!(runs > 1900 / STEP, "{runs}");
    }
}

// The program `budgets` counts the instructions on the emulated CPU.
for_both_storages! {
    fn s29_a_guard_is_one_word_and_a_nested_enter_looks_at_no_bit<B>() {
        const WORD: usize = size_of::<usize>();
        with::<Excepted<B>, _>(|mmu| assert_eq!(size_of_val(mmu), WORD));
        let mut task = task::<Excepted<B>>();
        let mut outer = task.enter();
        outer.note_store();
        PASSED.set(0);
        let nested = outer.nest();
        assert_eq!(PASSED.get(), 1, "a nested enter only calls `Machine::observe`");
        assert_eq!(size_of_val(&nested), WORD);
        nested.leave();
        assert_eq!(size_of_val(&outer), WORD);
    }
}
