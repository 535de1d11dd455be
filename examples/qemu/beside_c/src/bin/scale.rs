//! The cost of a page does not depend on the number of pages, or on the number of CPUs that map.
//! The program maps 1 to 2^20 pages in one section, and maps on 1 to 4 CPUs at once.
//!
//! Up to 512 pages, `comparison` steps through every instruction. Here the PMU counts the
//! instructions, in virtual time. The handler also steps through a section of 2^20 pages, to count
//! its barriers.
#![no_std]
#![no_main]

use core::ffi::c_void;
use core::hint::spin_loop;
use core::ptr::from_ref;
use core::sync::atomic::{
    AtomicU8, AtomicU64, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};

use lazy_mmu::aarch64::descriptor::{Table, VALID};
use lazy_mmu_beside_c::arch;
use lazy_mmu_beside_c::forms::{Form, Operation, own_byte, shared_word};
use lazy_mmu_beside_c::live::{Count, Live, PAGES};
use lazy_mmu_beside_c::pmu;
use lazy_mmu_examples::{Error, Frame};
use lazy_mmu_qemu::smp::{CPUS, cpu};
use lazy_mmu_qemu::words::Words;
use lazy_mmu_qemu::{access, interrupts, smp, step, upper};
use semihosting::println;

/// The highest number of pages, which need 4 GiB of virtual addresses.
const MANY: usize = 1 << 20;
/// The first address that a free entry of the top-level table translates.
const BASE: u64 = 0xffff_0000_0000_0000 | 300 << 39;

/// The leaf tables. They are consecutive, so that one loop covers them.
static LEAVES: Words<MANY> = Words::new();
/// The tables of level 2 that point to the leaf tables.
static LEVEL_2: Words<{ MANY / 512 }> = Words::new();
/// The table of level 1.
static LEVEL_1: Words<512> = Words::new();
/// A table for each CPU, which walkers do not reach.
static OF_CPU: [Words<PAGES>; CPUS] = [const { Words::new() }; CPUS];

lazy_mmu_qemu::program!(run);

fn run() -> Result<(), Error> {
    let live = Live::boot()?;
    link(&live);
    pmu::start();
    let leaf = live.first();
    for operations in [&own_byte::OPERATIONS, &shared_word::OPERATIONS] {
        for name in ["map", "map_kernel", "range"] {
            pages(Operation::named(name, operations), leaf);
        }
    }
    barriers(leaf);
    cpus();
    Ok(())
}

/// Returns the physical address, which is also the virtual one.
fn address<T>(of: &T) -> u64 {
    from_ref(of).expose_provenance() as u64
}

/// Links the tables into the live ones.
fn link(live: &Live) {
    for (slot, leaves) in LEVEL_2.0.iter().zip(LEAVES.0.chunks(512)) {
        slot.store(Table::at(address(&leaves[0])).0, Relaxed);
    }
    for (slot, level_2) in LEVEL_1.0.iter().zip(LEVEL_2.0.chunks(512)) {
        slot.store(Table::at(address(&level_2[0])).0, Relaxed);
    }
    let root = live.table(Frame::containing(upper::root()));
    root[300].store(Table::at(LEVEL_1.address()).0, Relaxed);
    lazy_mmu::flush_tlb_all::<lazy_mmu_qemu::thread::Mmu>();
}

fn clear() {
    for slot in &LEAVES.0 {
        slot.store(0, Relaxed);
    }
    lazy_mmu::flush_tlb_all::<lazy_mmu_qemu::thread::Mmu>();
}

/// Returns the instructions of one form, which the PMU counts.
#[inline(never)]
fn count(form: Form, handle: *mut c_void, pages: usize, leaf: u64) -> u64 {
    let slots = LEAVES.0.as_ptr();
    let before = pmu::read();
    // SAFETY: there are so many entries, and the handle is the one that the form takes.
    unsafe { form(handle, slots, slots, pages, leaf) };
    pmu::read() - before
}

/// Counts one operation for powers of 16 pages. Each page except the first has the same cost.
///
/// In C, the first page may cost one more instruction, on a separate path of the compiler.
fn pages(operation: &Operation, leaf: u64) {
    let Operation { forms, .. } = operation;
    println!("# {}, bits: {}", operation.name, operation.storage);
    println!("{:>8} {:>9} {:>9} {:>9}", "pages", "ours", "C", "by hand");
    let mut first = [0; 3];
    let mut sixteen = [0; 3];
    let mut each = [0; 3];
    for power in (0..=20).step_by(4) {
        let pages = 1 << power;
        let counts = [forms.ours, forms.c, forms.limit].map(|form| {
            let counted = operation.with(|handle| {
                let call = count(arch::nothing, handle, pages, leaf);
                count(form, handle, pages, leaf) - call
            });
            check(pages).expect("they are mapped");
            clear();
            counted
        });
        println!(
            "{pages:>8} {:>9} {:>9} {:>9}",
            counts[0], counts[1], counts[2]
        );
        let more = |than: u64| pages as u64 - than;
        match power {
            0 => first = counts,
            4 => sixteen = counts,
            8 => each = core::array::from_fn(|i| (counts[i] - sixteen[i]) / more(16)),
            _ => {}
        }
        if power >= 8 {
            let expected = core::array::from_fn(|i| sixteen[i] + each[i] * more(16));
            assert_eq!(counts, expected, "each page costs the same");
            for form in [0, 2] {
                assert_eq!(counts[form], first[form] + each[form] * more(1));
            }
        }
    }
    println!("    each {:>9} {:>9} {:>9}", each[0], each[1], each[2]);
}

/// Checks that the first page, and the last page in RAM, are mapped.
fn check(pages: usize) -> Result<(), Error> {
    for page in [0, (pages - 1).min(1 << 16)] {
        let address = BASE + 4096 * page as u64;
        access::write(address, page as u64)?;
        assert_eq!(access::read(address)?, page as u64);
    }
    Ok(())
}

/// Steps through a section of 2^20 stores, and counts its barriers.
fn barriers(leaf: u64) {
    // The stores themselves are not recorded, because they are more than the log can hold.
    step::watch(step::Tables::At(0..0));
    for (name, operations) in [
        ("range", &own_byte::OPERATIONS),
        ("map", &shared_word::OPERATIONS),
    ] {
        let operation = Operation::named(name, operations);
        operation.with(|handle| {
            let trace = stepped(operation.forms.ours, handle, LEAVES.0.as_ptr(), MANY, leaf);
            let pairs = Count::of(trace, 0).pairs;
            println!(
                "{}, bits: {}, {MANY} pages: {pairs} pair",
                operation.name, operation.storage
            );
            assert_eq!(pairs, 1);
        });
        assert!(LEAVES.0.iter().all(|it| it.load(Relaxed) & VALID != 0));
        clear();
    }
}

#[inline(never)]
fn stepped(
    form: Form,
    handle: *mut c_void,
    slots: *const AtomicU64,
    pages: usize,
    leaf: u64,
) -> step::Trace {
    step::start();
    // SAFETY: there are so many entries, and the handle is the one that the form takes.
    unsafe { form(handle, slots, slots, pages, leaf) };
    step::stop()
}

const IDLE: u8 = 0;
const MAP: u8 = 1;
const COUNT: u8 = 2;

/// The present work of each CPU.
static TASK: [AtomicU8; CPUS] = [const { AtomicU8::new(IDLE) }; CPUS];
/// The number of uncounted sections that each CPU has run.
static RUN: [AtomicUsize; CPUS] = [const { AtomicUsize::new(0) }; CPUS];
/// The number of instructions that each CPU has counted.
static COUNTED: [AtomicUsize; CPUS] = [const { AtomicUsize::new(0) }; CPUS];

/// The leaf that all CPUs store: any valid kernel leaf.
static LEAF: AtomicU64 = AtomicU64::new(0);

/// Maps 512 pages on each CPU in turn, single-stepped, while 0 to 3 other CPUs map too.
fn cpus() {
    let leaf = Frame::containing(0x4800_0000).kernel_page();
    LEAF.store(leaf.0, Relaxed);
    interrupts::init(CPUS, || ());
    smp::start(|| {
        loop {
            work();
        }
    });
    println!("# CPUs that map at the same time, {PAGES} pages each, bits: word");
    let mut all = None;
    for active in 1..=CPUS {
        for counting in 0..active {
            for other in (0..active).filter(|it| *it != counting && *it != 0) {
                TASK[other].store(MAP, Release);
            }
            TASK[counting].store(COUNT, Release);
            while TASK[counting].load(Acquire) == COUNT {
                // The first CPU runs its own work here, or maps while another CPU counts.
                if counting == 0 {
                    work();
                } else {
                    map();
                }
            }
            for other in (0..active).filter(|it| *it != counting && *it != 0) {
                while RUN[other].load(Acquire) == 0 {
                    spin_loop();
                }
                TASK[other].store(IDLE, Release);
                RUN[other].store(0, Release);
            }
            let counted = COUNTED[counting].load(Relaxed);
            assert_eq!(*all.get_or_insert(counted), counted, "the same on each CPU");
        }
        println!(
            "{active}: {} instructions on each",
            all.expect("it was counted")
        );
    }
}

/// Does the present work of this CPU.
fn work() {
    let me = cpu();
    match TASK[me].load(Acquire) {
        MAP => {
            map();
            RUN[me].fetch_add(1, Release);
        }
        COUNT => {
            let operation = Operation::named("map", &shared_word::OPERATIONS);
            operation.with(|handle| {
                let slots = OF_CPU[me].0.as_ptr();
                let leaf = LEAF.load(Relaxed);
                let call = stepped(arch::nothing, handle, slots, PAGES, leaf).instructions;
                let trace = stepped(operation.forms.ours, handle, slots, PAGES, leaf);
                let count = Count::of(trace, call);
                assert_eq!(count.pairs, 1);
                COUNTED[me].store(count.instructions, Relaxed);
            });
            TASK[me].store(IDLE, Release);
        }
        _ => spin_loop(),
    }
}

/// Runs a section without counting it.
fn map() {
    let operation = Operation::named("map", &shared_word::OPERATIONS);
    operation.with(|handle| {
        let slots = OF_CPU[cpu()].0.as_ptr();
        // SAFETY: there are so many entries, and the handle is the one that the form takes.
        unsafe {
            (operation.forms.ours)(handle, slots, slots, PAGES, LEAF.load(Relaxed));
        };
    });
}
