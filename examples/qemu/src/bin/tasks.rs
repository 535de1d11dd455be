//! C07, C08, C09 and C12: threads, context switches and CPUs.
//!
//! Two threads share one CPU, and a section stays open over a switch. One thread is made inside a
//! section. One thread continues on another CPU inside a section. The instructions of each CPU are
//! single-stepped.

#![no_std]
#![no_main]

use core::marker::PhantomData;

use lazy_mmu::aarch64::{Tlbs, table_barrier};
use lazy_mmu::{Backend, Bits, Invalidation, Storage as _, Task, Wrapped, Wrapper, is_active};
use lazy_mmu_examples::trace::Step;
use lazy_mmu_examples::{Error, PageRange};
use lazy_mmu_qemu::arena::Arena;
use lazy_mmu_qemu::scheduler::{self, NONE, current, spawn, yield_now};
use lazy_mmu_qemu::step::Trace;
use lazy_mmu_qemu::thread::{ByteMmu, Mmu};
use lazy_mmu_qemu::{access, interrupts, smp, step};
use semihosting::println;
use spin::Once;
use spin::mutex::SpinMutex;

const PAGES: usize = 8;

/// The entries and frames that the threads use.
static ARENA: Once<Arena> = Once::new();
/// The steps on the second CPU of the thread that changes its CPU.
static SECOND: SpinMutex<Option<Trace>> = SpinMutex::new(None);

fn arena() -> Arena {
    *ARENA.get().expect("it is booted")
}

lazy_mmu_qemu::program!(run);

fn run() -> Result<(), Error> {
    scheduler::init_cpu();
    let (_mm, arena) = Arena::boot::<Mmu>(PAGES, PAGES, true)?;
    ARENA.call_once(|| arena);
    interrupts::init(smp::CPUS, || ());
    smp::start(|| ());
    rows::<Mmu>("flags word, SP_EL0");
    rows::<ByteMmu>("own byte, TPIDR_EL1");
    Ok(())
}

fn rows<B: Backend>(storage: &str) {
    println!("# the bits in: {storage}");
    two_threads::<B>();
    store_and_migrate::<B>();
    invalidate_and_migrate::<B>();
}

fn bits<B: Backend>() -> Bits {
    B::current().load()
}

/// C07 and C09: A stores in a section, and makes B. B runs, and then A continues in its section.
fn two_threads<B: Backend>() {
    fn first<B: Backend>() {
        let arena = arena();
        lazy_mmu::with::<B, _>(|mmu| {
            mmu.write(&arena.slots[0], arena.leaf(0));
            let before = bits::<B>();
            assert_eq!(before, Bits::ACTIVE.union(Bits::PENDING));
            spawn(second::<B>, 0);
            yield_now();
            assert_eq!(bits::<B>(), before, "still active, still pending");
            mmu.write(&arena.slots[1], arena.leaf(1));
        });
        assert_eq!(bits::<B>(), Bits::EMPTY);
        arena.check(0, 0);
        arena.check(1, 1);
    }

    fn second<B: Backend>() {
        let arena = arena();
        assert_eq!(bits::<B>(), Bits::EMPTY, "C09: it starts clean");
        assert!(!is_active::<B>());
        lazy_mmu::write::<B, _>(&arena.slots[2], arena.leaf(2));
        arena.check(2, 2);
    }

    let thread = spawn(first::<B>, 0);
    let ((), trace) = step::trace(|| {
        while !thread.is_finished() {
            yield_now();
        }
    });
    // Each `d I` is that of a context switch: to A, to B, back to A, and back here.
    assert!(trace.is("d I S (d I S D I)*2 d I"), "{}", trace.order());
    println!(
        "C07 C12 A stores in a section, B runs, and its store is immediate; \
         A goes on in its section: {}",
        trace.order()
    );
    println!("C09 B, made by A inside the section, starts with no bit set");
    arena().clear::<B>(0, PAGES);
}

/// C08: A stores in a section on CPU 0, and continues on CPU 1.
fn store_and_migrate<B: Backend>() {
    fn thread<B: Backend>() {
        let arena = arena();
        // SAFETY: this is the only handle of the thread.
        let mut task = unsafe { Task::<B>::current() };
        let mut section = task.enter();
        step::start();
        section.write(&arena.slots[0], arena.leaf(0));
        go_to_the_other_cpu();
        let deferred = Bits::ACTIVE.union(Bits::OWNED).union(Bits::PENDING);
        assert_eq!(bits::<B>(), deferred);
        drop(section);
        *SECOND.lock() = Some(step::stop());
        arena.check(0, 0);
        assert_eq!(bits::<B>(), Bits::EMPTY);
    }

    on_two_cpus(
        thread::<B>,
        ["S d", "D I"],
        [
            "C08 C12 A stores in a section on CPU 0, and is switched away from",
            "C08 A leaves the section on CPU 1, before it uses the mapping",
        ],
    );
}

/// A backend whose thread is preempted directly behind a TLBI, and continues on CPU 1.
struct SwitchBehindTlbi<B>(PhantomData<B>);

// SAFETY: the sequence is that of the crate. An interrupt could cause the switch at this place.
unsafe impl<B: Backend> Wrapper for SwitchBehindTlbi<B> {
    type Inner = B;

    fn invalidate(invalidations: &[Invalidation]) {
        table_barrier();
        for instruction in Tlbs::EL1.instructions(invalidations) {
            Tlbs::EL1.execute(instruction);
            go_to_the_other_cpu();
        }
        Tlbs::EL1.complete();
    }
}

/// C12: A invalidates on CPU 0, and continues on CPU 1 behind its TLBI.
fn invalidate_and_migrate<B: Backend>() {
    fn thread<B: Backend>() {
        let arena = arena();
        lazy_mmu::write::<B, _>(&arena.slots[0], arena.leaf(0));
        arena.check(0, 0);
        let page = PageRange::new(arena.range.page(0), 1).expect("it is in the arena");
        step::start();
        lazy_mmu::with::<Wrapped<SwitchBehindTlbi<B>>, _>(|mmu| {
            let unmapped = mmu.unmap(&arena.slots[0], page.into());
            unmapped.invalidate(mmu);
        });
        *SECOND.lock() = Some(step::stop());
        access::read(page.start()).expect_err("it is unmapped");
        assert_eq!(bits::<B>(), Bits::EMPTY);
    }

    on_two_cpus(
        thread::<B>,
        ["S D T d", "d R d I"],
        [
            "C12 A unmaps a page on CPU 0, and is switched away from behind the TLBI",
            "C12 A ends the invalidation on CPU 1",
        ],
    );
}

/// Leaves CPU 0, and continues on CPU 1, single-stepped on both.
fn go_to_the_other_cpu() {
    assert_eq!(smp::cpu(), 0);
    // The thread waits until the first CPU has stopped stepping.
    current().pin(NONE);
    yield_now();
    assert_eq!(smp::cpu(), 1);
    step::start();
}

/// Runs `thread` until it leaves CPU 0, and then on CPU 1. Compares its steps on each.
fn on_two_cpus(thread: fn(), expected: [&str; 2], what: [&str; 2]) {
    let thread = spawn(thread, 0);
    yield_now();
    let show = |mut trace: Trace, number: usize| {
        if number == 0 {
            // The steps end with the `dsb ish`, because the `isb` belongs to the next thread.
            let switch = trace.steps.iter().position(|&it| it == Step::DsbIsh);
            trace.steps = &trace.steps[..=switch.expect("the switch executes it")];
        }
        assert!(trace.is(expected[number]), "{}", trace.order());
        println!("{}: {}", what[number], trace.order());
    };
    // This precedes the other CPU's steps, which are recorded in the same place.
    show(step::stop(), 0);
    thread.pin(1);
    while !thread.is_finished() {
        smp::relax();
    }
    show(SECOND.lock().take().expect("it has run"), 1);
    arena().clear::<Mmu>(0, PAGES);
}
