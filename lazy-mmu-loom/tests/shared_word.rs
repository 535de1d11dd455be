//! Row C10, in every interleaving: the thread enters, stores, leaves, pauses and resumes, while other CPUs set and clear
//! other bits of its flags word. No bit is lost, theirs or ours, and no pair.

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
    /// The flags word of the thread, and how many pairs it has executed.
    static WORD: Cell<Option<NonNull<AtomicU64>>> = Cell::new(None);
    static PAIRS: Cell<u32> = Cell::new(0);
}

/// A kernel whose threads are loom's.
struct Loom;

// SAFETY: each model has one thread that uses it, which finds its own word, as long as the model runs; there are no
// interrupts, and nothing walks the tables.
unsafe impl Backend for Loom {
    type Storage = SharedWord<28>;
    type Machine = Self;

    fn current() -> Self::Storage {
        let word = WORD
            .with(Cell::get)
            .expect("the model has said which it is");
        // SAFETY: the model keeps the word until its threads have ended; all accesses are atomic.
        unsafe { SharedWord::from_ptr(word) }
    }

    fn in_interrupt() -> bool {
        false
    }
}

// SAFETY: nothing walks the tables.
unsafe impl Machine for Loom {
    fn barrier() {
        PAIRS.with(|pairs| pairs.set(pairs.get() + 1));
    }

    fn table_barrier() {}

    fn invalidate(_: &[Invalidation]) {}

    fn invalidate_all() {}
}

/// Flags of others: one that is set and cleared again, one that is set, one that is cleared.
const BLINKS: u64 = 1;
const SET: u64 = 1 << 27;
const CLEARED: u64 = 1 << 32;

/// Runs `program` in every interleaving with the other CPUs' changes, and checks the flags and the number of pairs.
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
        assert_eq!(Loom::current().load(), Bits::EMPTY, "our bits");
        assert_eq!(PAIRS.with(Cell::get), pairs, "pairs");
        other.join().expect("it does not panic");
        assert_eq!(word.load(Ordering::Relaxed), SET, "theirs");
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
            assert!(is_active::<Loom>(), "the mode goes on");
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
        // SAFETY: the only handle of this thread.
        let mut task = unsafe { Task::<Loom>::current() };
        let mut section = task.enter();
        section.write(slot, LEAF);
        core::mem::forget(section);
        assert!(task.check_idle().is_ok());
    });
}

#[test]
fn c10_invalidation() {
    // The invalidation is no pair, but settles the one that is due.
    model("an invalidation settles", 0, |slot| {
        with::<Loom, _>(|mmu| {
            mmu.write(slot, LEAF);
            mmu.flush_tlb_all();
        });
    });
}
