//! Tests of the shared flags word in every interleaving (C10).
//!
//! A thread enters, stores, leaves, pauses and resumes. Meanwhile, another CPU sets and clears
//! other bits of the thread's flags word. All bits and all barrier pairs survive.

use core::cell::Cell;
use core::ptr::NonNull;
use core::sync::atomic::AtomicU64 as Slot;

use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
use lazy_mmu::{
    Backend, Bits, Invalidation, Machine, SharedWord, Storage as _, Task, is_active, paused, with,
};
use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering};

loom::thread_local! {
    /// The flags word of the thread, and the number of its executed pairs.
    static WORD: Cell<Option<NonNull<AtomicU64>>> = Cell::new(None);
    static PAIRS: Cell<u32> = Cell::new(0);
}

/// The backend of a kernel whose threads are loom's.
struct Loom;

// SAFETY: one thread of each model uses the backend. It finds its own word, which exists as long as
// the model runs. There are no interrupts, and a walker does not read the tables.
unsafe impl Backend for Loom {
    type Storage = SharedWord<28>;
    type Machine = Self;

    fn current() -> Self::Storage {
        let word = WORD.with(Cell::get).expect("the model has set the word");
        // SAFETY: the model keeps the word until its threads have ended. All accesses are atomic.
        unsafe { SharedWord::from_ptr(word) }
    }

    fn in_interrupt() -> bool {
        false
    }
}

// SAFETY: a walker does not read the tables, so they do not need barriers.
unsafe impl Machine for Loom {
    fn barrier() {
        PAIRS.with(|pairs| pairs.set(pairs.get() + 1));
    }

    fn table_barrier() {}

    fn invalidate(_: &[Invalidation]) {}

    fn invalidate_all() {}
}

/// The flags of the other CPU: it sets and clears the first, sets the second and clears the third.
const BLINKS: u64 = 1;
const SET: u64 = 1 << 27;
const CLEARED: u64 = 1 << 32;

/// Runs `program` in every interleaving with the changes of the other CPU.
///
/// The function checks the flags, and the number of pairs.
fn model(name: &str, pairs: u32, program: fn(&Slot)) {
    let interleavings = std::sync::Arc::new(core::sync::atomic::AtomicUsize::new(0));
    let counted = interleavings.clone();
    loom::model(move || {
        counted.fetch_add(1, core::sync::atomic::Ordering::Relaxed);
        let word = Arc::new(AtomicU64::new(CLEARED));
        let other = {
            let word = word.clone();
            loom::thread::spawn(move || {
                word.fetch_or(SET | BLINKS, Ordering::Relaxed);
                word.fetch_and(!(CLEARED | BLINKS), Ordering::Relaxed);
            })
        };
        WORD.with(|cell| cell.set(Some(NonNull::from(&*word))));
        PAIRS.with(|cell| cell.set(0));
        let slot = Slot::new(0);
        program(&slot);
        assert_eq!(Loom::current().load(), Bits::EMPTY, "the bits of the crate");
        assert_eq!(PAIRS.with(Cell::get), pairs, "pairs");
        other.join().expect("it does not panic");
        assert_eq!(
            word.load(Ordering::Relaxed),
            SET,
            "the flags of the other CPU"
        );
    });
    let interleavings = interleavings.load(core::sync::atomic::Ordering::Relaxed);
    println!("C10 {name}: {interleavings} interleavings");
    assert!(interleavings >= 10, "{name}: {interleavings} interleavings");
}

const LEAF: Leaf = Leaf::page(0x4000_0000, KERNEL_DATA);

#[test]
fn c10_enter_store_leave() {
    model("enter, store, leave", 1, |slot| {
        with::<Loom, _>(|mmu| {
            assert!(is_active::<Loom>());
            mmu.write(slot, LEAF);
            assert!(Loom::current().load().contains(Bits::PENDING));
        });
    });
}

#[test]
fn c10_nested() {
    model("nested", 2, |slot| {
        with::<Loom, _>(|mmu| {
            mmu.write(slot, LEAF);
            with::<Loom, _>(|inner| inner.write(slot, LEAF));
            assert!(is_active::<Loom>(), "the mode stays active");
            mmu.write(slot, LEAF);
        });
    });
}

#[test]
fn c10_pause_and_resume() {
    model("pause, store, resume, store", 3, |slot| {
        with::<Loom, _>(|mmu| {
            mmu.write(slot, LEAF);
            paused::<Loom, _>(|| lazy_mmu::write::<Loom, _>(slot, LEAF));
            mmu.write(slot, LEAF);
        });
    });
}

#[test]
fn c10_healing() {
    model("a forgotten section", 1, |slot| {
        // SAFETY: this is the only handle of this thread.
        let mut task = unsafe { Task::<Loom>::current() };
        let mut section = task.enter();
        section.write(slot, LEAF);
        core::mem::forget(section);
        assert!(task.check_idle().is_ok());
    });
}

#[test]
fn c10_invalidation() {
    // The barriers of the invalidation are not a pair, but they replace the pending pair.
    model("an invalidation in place of the pair", 0, |slot| {
        with::<Loom, _>(|mmu| {
            mmu.write(slot, LEAF);
            mmu.flush_tlb_all();
        });
    });
}
