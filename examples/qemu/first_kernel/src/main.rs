//! A first kernel with lazy MMU sections. Read it before the other examples.
//!
//! QEMU's `virt` board starts the kernel at EL1. The crate `aarch64-rt` maps the image one to one
//! through TTBR0, and turns the MMU on. The kernel builds its own tables for TTBR1. It maps pages
//! there, uses them, and removes them. `cargo xtask qemu first_kernel` runs it.

#![no_std]
#![no_main]

use core::arch::asm;
use core::mem::offset_of;
use core::panic::PanicInfo;
use core::ptr::{from_ref, with_exposed_provenance_mut};
use core::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use aarch64_cpu::asm::barrier;
use aarch64_cpu::registers::{PAR_EL1, SP_EL0, TCR_EL1, TTBR1_EL1};
use aarch64_cpu::registers::{ReadWriteable, Readable, Writeable};
use aarch64_rt::{entry, exception_handlers, initial_pagetable};
use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf, PXN, TopLevel, memory_type};
use lazy_mmu::aarch64::{Aarch64, ByteAt, Granule, Kernel, PreemptCountAt, SpEl0};
use lazy_mmu::{global, lazy_mmu};
use semihosting::{eprintln, println, process};

// The first part has what the crate must know about a kernel.

/// The structure of a task. SP_EL0 points to that of the running task.
#[repr(C)]
struct TaskInfo {
    /// The depth of interrupts, in the bits that Linux uses. It is always 0 here.
    preempt_count: AtomicU32,
    /// The four bits of the crate, which are clear when the task starts.
    lazy_mmu: AtomicU8,
}

/// The only task.
static TASK: TaskInfo = TaskInfo {
    preempt_count: AtomicU32::new(0),
    lazy_mmu: AtomicU8::new(0),
};

struct First;

// SAFETY: `main` sets SP_EL0 to `TASK` before it uses the crate, and there is no other task. Other
// code does not use the byte `lazy_mmu`. Interrupts and context switches do not occur.
unsafe impl Kernel for First {
    type Task = SpEl0;
    type Bits = ByteAt<{ offset_of!(TaskInfo, lazy_mmu) }>;
    type Interrupt = PreemptCountAt<{ offset_of!(TaskInfo, preempt_count) }, 0x00ff_ff00>;
}

// The code below does not name the backend, and neither do the libraries that a kernel links.
lazy_mmu::set_global_backend!(Aarch64<First>);

// The second part changes mappings.

/// Normal memory, which `aarch64-rt` describes in byte 1 of MAIR_EL1.
const NORMAL: u64 = KERNEL_DATA | memory_type(1);

/// The start of the last GiB, which TTBR1 translates because T1SZ is 34.
const BASE: u64 = 0xffff_ffff_c000_0000;

/// Returns the address that entry `index` of `LEAVES` translates.
fn page(index: usize) -> u64 {
    BASE + 4096 * index as u64
}

/// Maps frames at consecutive pages. Each store is made at once. All stores share one barrier pair,
/// which the nested section of `log_page` executes when it ends.
#[lazy_mmu(mmu)]
fn map_buffer(first: usize, frames: &[Frame]) {
    for (index, frame) in (first..).zip(frames) {
        mmu.write(&LEAVES.0[index], Leaf::page(frame.0, NORMAL));
    }
    log_page(256, frames.len() as u64);
}

/// Maps a page for the log, and writes to it. Its section is nested in its caller's, and neither
/// function knows this. The section ends with the pair, so the page can be used at once.
fn log_page(index: usize, entry: u64) {
    let frame = allocate();
    global::with(|mmu| mmu.write(&LEAVES.0[index], Leaf::page(frame.0, NORMAL)));
    write(page(index), entry);
    println!("nested: wrote {} to {:#x}", read(frame.0), page(index));
}

/// Removes `count` pages. The gather keeps their frames until one TLB invalidation has removed all
/// translations. A frame is not free while a CPU can still use its old mapping.
fn unmap_buffer(first: usize, count: usize) -> usize {
    let mut frames = [const { None }; 8];
    global::gather(&mut frames, |gather| {
        for index in first..first + count {
            let range = Granule::Kib4.range(page(index), 1).expect("it is a page");
            let frame = |old| Frame(Leaf(old).address(Granule::Kib4));
            let full = gather.unmap(&LEAVES.0[index], range, frame).is_err();
            assert!(!full, "8 frames have room");
        }
    });
    // A kernel returns the frames to its allocator here.
    frames.into_iter().flatten().count()
}

// The third part is the rest of the kernel. It does not open sections itself.

#[repr(C, align(4096))]
struct PageTable([AtomicU64; 512]);

const fn empty() -> PageTable {
    PageTable([const { AtomicU64::new(0) }; 512])
}

/// The table to which TTBR1 points, with an entry for each 2 MiB of the last GiB.
static ROOT: PageTable = empty();
/// The table of the first 2 MiB.
static LEAVES: PageTable = empty();
/// The memory for frames.
static MEMORY: [PageTable; 8] = [const { empty() }; 8];

/// A page of memory, by its physical address.
struct Frame(u64);

fn allocate() -> Frame {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    Frame(physical(&MEMORY[NEXT.fetch_add(1, Ordering::Relaxed)]))
}

/// Returns the physical address of a table. TTBR0 maps the image one to one.
fn physical(table: &'static PageTable) -> u64 {
    from_ref(table).expose_provenance() as u64
}

#[expect(clippy::cast_possible_truncation, reason = "usize has 64 bits")]
fn pointer(address: u64) -> *mut u64 {
    with_exposed_provenance_mut(address as usize)
}

fn read(address: u64) -> u64 {
    // SAFETY: the callers have mapped the page to memory that has no other use.
    unsafe { pointer(address).read_volatile() }
}

fn write(address: u64, value: u64) {
    // SAFETY: as in `read`.
    unsafe { pointer(address).write_volatile(value) }
}

/// Asks the MMU whether it translates the address.
fn is_mapped(address: u64) -> bool {
    // SAFETY: the instruction changes only PAR_EL1.
    unsafe { asm!("at s1e1r, {}", in(reg) address, options(nostack, preserves_flags)) };
    barrier::isb(barrier::SY);
    !PAR_EL1.is_set(PAR_EL1::F)
}

entry!(main);
fn main(_: u64, _: u64, _: u64, _: u64) -> ! {
    SP_EL0.set(from_ref(&TASK).expose_provenance() as u64);
    barrier::dsb(barrier::ISHST); // The boot code has cleared the table.
    TTBR1_EL1.set(physical(&ROOT));
    let cacheable = TCR_EL1::IRGN1::WriteBack_ReadAlloc_WriteAlloc_Cacheable
        + TCR_EL1::ORGN1::WriteBack_ReadAlloc_WriteAlloc_Cacheable
        + TCR_EL1::SH1::Inner;
    TCR_EL1.modify(TCR_EL1::T1SZ.val(34) + cacheable + TCR_EL1::EPD1::EnableTTBR1Walks);
    barrier::isb(barrier::SY);
    // Outside a section, the pair follows each store.
    global::write(&ROOT.0[0], TopLevel::at(physical(&LEAVES)));

    let frames = [(); 4].map(|()| allocate());
    map_buffer(0, &frames);
    for (index, frame) in frames.iter().enumerate() {
        write(page(index), 100 + index as u64);
        println!("wrote {} to {:#x}", read(frame.0), page(index));
    }
    let freed = unmap_buffer(0, 4);
    let mapped = (0..4).filter(|&it| is_mapped(page(it))).count();
    println!("unmapped: {mapped} of 4 pages are mapped, {freed} frames are free");
    println!("the log is mapped: {}", is_mapped(page(256)));
    global::check_idle().expect("no section is open");
    process::exit(0)
}

initial_pagetable!({
    let mut blocks = [0; 512];
    // The GiB of RAM that contains the image maps to itself.
    let Ok(block) = Leaf::new(Granule::Kib4, 1, 0x4000_0000, NORMAL & !PXN) else {
        panic!("it is not a block")
    };
    blocks[1] = usize::from_ne_bytes(block.0.to_ne_bytes());
    aarch64_rt::InitialPagetable(blocks)
});

struct Handlers;
impl aarch64_rt::ExceptionHandlers for Handlers {}
exception_handlers!(Handlers);

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    eprintln!("{info}");
    process::exit(1)
}
