//! The kernel: its backend, its tables, and its work before and after the MMU is on.

use core::arch::asm;
use core::mem::offset_of;
use core::ptr::{from_ref, with_exposed_provenance};
use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};

use aarch64_cpu::asm::barrier;
use aarch64_cpu::registers::{CurrentEL, PAR_EL1, Readable, TPIDR_EL1, Writeable};
use lazy_mmu::aarch64::descriptor::{
    KERNEL_DATA, KERNEL_READ_ONLY, KERNEL_TEXT, Leaf, PXN, Table, TopLevel,
};
use lazy_mmu::aarch64::{
    self, Aarch64, ByteAt, Granule, MaybeNull, PreemptCountAt, Regime, TpidrEl1,
};
use lazy_mmu::{Global, Scope, VirtualRange, Wrapped, flush_tlb_all, global};
use semihosting::{println, process};

use crate::boot::{self, NORMAL, image, is_mmu_on, program_counter};
use crate::counts::{Counting, Counts, NOW, Of};

lazy_mmu::set_global_backend!(Wrapped<Counting>);

/// The structure to which TPIDR_EL1 points.
#[repr(C)]
struct ThreadInfo {
    preempt_count: AtomicU32,
    lazy_mmu: AtomicU8,
}

static THREAD: ThreadInfo = ThreadInfo {
    preempt_count: AtomicU32::new(0),
    lazy_mmu: AtomicU8::new(0),
};

pub(crate) struct Early;

pub(crate) type Mmu = Aarch64<Early>;

// SAFETY: `start` clears TPIDR_EL1, and `set_task` points it to THREAD. Other code does not write
// to the byte. Interrupts stay masked. There is one thread, on one CPU.
unsafe impl aarch64::Kernel for Early {
    type Task = MaybeNull<TpidrEl1>;
    type Bits = ByteAt<{ offset_of!(ThreadInfo, lazy_mmu) }>;
    type Interrupt = PreemptCountAt<{ offset_of!(ThreadInfo, preempt_count) }, 0x00ff_ff00>;
    const REGIME: Regime = Regime::El1And0;
    const HAS_HOOKS: bool = true;

    fn mode_begins() {
        NOW.count(Of::Begins);
    }

    fn mode_ends() {
        NOW.count(Of::Ends);
    }
}

/// Points the task pointer to the only thread, at its present address.
fn set_task() {
    TPIDR_EL1.set(from_ref(&THREAD).expose_provenance() as u64);
}

/// The difference between a virtual address of the high half and its physical address.
const HIGH: u64 = 0xffff_8000_0000_0000;
/// The address at which the RAM begins. Its first 2 MiB contain the image.
const RAM: u64 = 0x4000_0000;
/// The virtual address of the page that is mapped while the MMU is on.
const AREA: u64 = HIGH + 0x8000_0000;
/// The range of that page.
const AREA_RANGE: VirtualRange = match Granule::Kib4.range(AREA, 1) {
    Ok(range) => range,
    Err(_) => panic!("it is a page's address"),
};
/// The range of the identity map, which is the RAM.
const RAM_RANGE: VirtualRange = match Granule::Kib4.entry(1, RAM) {
    Ok(range) => range,
    Err(_) => panic!("it is a block's address"),
};
/// The leaf of the identity map, for the kernel's code and data.
const RAM_BLOCK: Leaf = match Leaf::new(Granule::Kib4, 1, RAM, (KERNEL_DATA & !PXN) | NORMAL) {
    Ok(block) => block,
    Err(_) => panic!("it is a block's address"),
};
/// The highest possible end of the RAM. All code before the MMU is on runs below it.
const LOW_END: u64 = 0x8000_0000;

/// A table of the 4 KiB granule, or a page.
#[repr(C, align(4096))]
struct Page([AtomicU64; 512]);

impl Page {
    const fn new() -> Self {
        Self([const { AtomicU64::new(0) }; 512])
    }

    fn physical(&self) -> u64 {
        physical(self)
    }
}

/// Returns the physical address of a place in the image, whether the MMU is on or off.
fn physical<T>(place: *const T) -> u64 {
    place.addr() as u64 & !HIGH
}

/// The root of the identity map, which has one block.
static LOW_ROOT: Page = Page::new();
static LOW_LEVEL_1: Page = Page::new();
/// The root of the high half, which maps the image in pages.
static HIGH_ROOT: Page = Page::new();
static HIGH_LEVEL_1: Page = Page::new();
static IMAGE_LEVEL_2: Page = Page::new();
static IMAGE_LEVEL_3: Page = Page::new();
/// The tables for the page that is mapped while the MMU is on.
static AREA_LEVEL_2: Page = Page::new();
static AREA_LEVEL_3: Page = Page::new();
/// The page itself.
static FRAME: Page = Page::new();

/// Returns the entry of `table` at level `level` that translates `address`.
#[expect(clippy::cast_possible_truncation, reason = "usize has 64 bits")]
fn entry(table: &'static Page, level: u32, address: u64) -> &'static AtomicU64 {
    &table.0[(address >> (39 - 9 * level)) as usize % 512]
}

/// The steps of `early`, with their pairs, table barriers, invalidations, and begins and ends of
/// the mode.
const COUNTED: [(&str, [usize; 5]); 6] = [
    (
        "without a task, a store in a section, and one nested in it",
        [2, 1, 0, 0, 0],
    ),
    ("a task; 512 stores in a section", [0, 0, 0, 1, 0]),
    ("one in a section nested in it, left", [1, 1, 0, 0, 0]),
    (
        "one that joins, and two without a section in hand",
        [0, 3, 0, 0, 0],
    ),
    ("one more, and the leave", [1, 1, 0, 0, 1]),
    ("the TLBs, by range and whole", [0, 0, 2, 0, 0]),
];

/// The observations of `early`, which `late` prints.
struct Seen {
    program_counter: AtomicU64,
    /// Whether the MMU was off at the beginning and at the end of `early`.
    mmu_was_off: [AtomicBool; 2],
    image: [AtomicU64; 2],
    counts: [Counts; COUNTED.len()],
}

static SEEN: Seen = Seen {
    program_counter: AtomicU64::new(0),
    mmu_was_off: [const { AtomicBool::new(false) }; 2],
    image: [const { AtomicU64::new(0) }; 2],
    counts: [const { Counts::new() }; COUNTED.len()],
};

/// Builds the tables, and turns the MMU on. It runs at a low address, at which it is not linked.
pub(crate) extern "C" fn early() {
    SEEN.mmu_was_off[0].store(!is_mmu_on(), Relaxed);
    SEEN.program_counter.store(program_counter(), Relaxed);
    for (seen, address) in SEEN.image.iter().zip(image()) {
        seen.store(address, Relaxed);
    }

    map_identically();
    NOW.move_to(&SEEN.counts[0]);
    set_task();
    map_image();
    NOW.move_to(&SEEN.counts[4]);

    // The firmware may have left translations.
    global::invalidate(AREA_RANGE, Scope::ALL_LEVELS);
    flush_tlb_all::<Global>();
    NOW.move_to(&SEEN.counts[5]);
    SEEN.mmu_was_off[1].store(!is_mmu_on(), Relaxed);
    // SAFETY: this function has built the tables, and the TLBs are empty.
    unsafe { boot::turn_mmu_on(LOW_ROOT.physical(), HIGH_ROOT.physical()) };
}

/// Maps the identity map without a task: sections are inert, and a pair follows each store.
fn map_identically() {
    global::with(|outer| {
        outer.write(entry(&LOW_LEVEL_1, 1, RAM), RAM_BLOCK);
        global::with(|nested| {
            let table = TopLevel::at(LOW_LEVEL_1.physical());
            nested.write(entry(&LOW_ROOT, 0, RAM), table);
        });
    });
}

/// Maps the image with a task. The leave of a nested or outermost section executes the pair.
fn map_image() {
    global::with(|outer| {
        outer.write_range(&IMAGE_LEVEL_3.0, page_of_image);
        NOW.move_to(&SEEN.counts[1]);

        global::with(|nested| {
            let table = Table::at(IMAGE_LEVEL_3.physical());
            nested.write(entry(&IMAGE_LEVEL_2, 2, HIGH + RAM), table);
        });
        NOW.move_to(&SEEN.counts[2]);

        global::join(|joined| {
            let table = Table::at(IMAGE_LEVEL_2.physical());
            joined.write(entry(&HIGH_LEVEL_1, 1, HIGH + RAM), table);
        });
        // This code does not use the guard of the section, but its stores are deferred too.
        let table = Table::at(AREA_LEVEL_3.physical());
        global::write(entry(&AREA_LEVEL_2, 2, AREA), table);
        let table = Table::at(AREA_LEVEL_2.physical());
        global::write(entry(&HIGH_LEVEL_1, 1, AREA), table);
        NOW.move_to(&SEEN.counts[3]);

        let table = TopLevel::at(HIGH_LEVEL_1.physical());
        outer.write(entry(&HIGH_ROOT, 0, HIGH), table);
    });
}

// SAFETY: the linker script defines these symbols. Only their addresses are used.
unsafe extern "C" {
    static image_begin: u8;
    static text_end: u8;
    static rodata_end: u8;
}

/// Returns the leaf of page `i` of the RAM: of the image's code, its constants, or other memory.
fn page_of_image(i: usize) -> Leaf {
    let address = RAM + Granule::Kib4.page_size() * i as u64;
    let attributes = if address < physical(&raw const image_begin) {
        KERNEL_DATA
    } else if address < physical(&raw const text_end) {
        KERNEL_TEXT
    } else if address < physical(&raw const rodata_end) {
        KERNEL_READ_ONLY
    } else {
        KERNEL_DATA
    };
    Leaf::page(address, attributes | NORMAL)
}

/// Continues in the high half, where the program is linked.
pub(crate) extern "C" fn late() -> ! {
    boot::move_vectors();
    set_task();
    check_level();
    assert!(is_mmu_on() && program_counter() > HIGH);
    tell_early();

    assert!(!is_translated(AREA));
    global::with(|mmu| {
        mmu.write(
            entry(&AREA_LEVEL_3, 3, AREA),
            Leaf::page(FRAME.physical(), KERNEL_DATA | NORMAL),
        );
        assert_eq!(NOW.get(), [0, 0, 0, 1, 0], "deferred");
    });
    println!("C14 K06 the MMU is on: a page is mapped in the high half: {NOW}");
    assert_eq!(NOW.get(), [1, 0, 0, 1, 1]);
    NOW.move_to(&Counts::new());
    let address = usize::try_from(AREA).expect("usize has 64 bits");
    // SAFETY: the page is mapped at this address, and all accesses to it are atomic.
    let mapped: &Page = unsafe { &*with_exposed_provenance(address) };
    mapped.0[511].store(0xc14, Relaxed);
    let read = FRAME.0[511].load(Relaxed);
    println!("    written at {AREA:#x}, {read:#x} is read where the image has the page");
    assert_eq!(read, 0xc14);

    // The low addresses are no longer used.
    assert!(is_translated(RAM));
    global::with(|mmu| {
        mmu.unmap(entry(&LOW_LEVEL_1, 1, RAM), RAM_RANGE)
            .invalidate(mmu)
    });
    println!("C14 K06 the identity map is taken away: {NOW}");
    assert_eq!(NOW.get(), [0, 0, 1, 1, 1]);
    assert!(!is_translated(RAM));
    assert!(global::check_idle().is_ok(), "in no section");
    process::exit(0);
}

/// Prints and checks the observations of `early`.
fn tell_early() {
    assert!(SEEN.mmu_was_off.iter().all(|it| it.load(Relaxed)));
    assert!(SEEN.program_counter.load(Relaxed) < LOW_END);
    let [runs_at, linked_at] = SEEN.image.each_ref().map(|it| it.load(Relaxed));
    println!("C14 the MMU is off: the image runs at {runs_at:#x}, and is linked at {linked_at:#x}");
    assert!(runs_at < LOW_END && linked_at == HIGH + runs_at);

    for ((what, expected), seen) in COUNTED.iter().zip(&SEEN.counts) {
        println!("C14 K06 {what}: {seen}");
        assert_eq!(seen.get(), *expected, "{what}");
    }
}

/// Returns whether the kernel may read at `address`.
fn is_translated(address: u64) -> bool {
    // SAFETY: the instruction changes only PAR_EL1, which other code does not use.
    unsafe { asm!("at s1e1r, {}", in(reg) address, options(nostack, preserves_flags)) };
    barrier::isb(barrier::SY);
    !PAR_EL1.is_set(PAR_EL1::F)
}

/// Compares the Exception level with the first word of the command line, `el1` or `el2`. A machine
/// without EL2 would otherwise pass for one with it.
fn check_level() {
    let words = semihosting::experimental::env::args::<256>().expect("QEMU passes a command line");
    let level = match words.into_iter().next() {
        Some(Ok("el1")) => 1,
        Some(Ok("el2")) => 2,
        _ => panic!("the first word is neither el1 nor el2"),
    };
    assert_eq!(CurrentEL.read(CurrentEL::EL), level, "the Exception level");
}
