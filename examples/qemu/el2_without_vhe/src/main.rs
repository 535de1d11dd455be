//! The tables of a hypervisor: the EL2 regime without FEAT_VHE.
//!
//! The regime has one table register, and does not have an unprivileged level. Every valid leaf
//! needs the pair, and the TLB instructions are those of EL2. The program extends the table in
//! which it runs.

#![no_std]
#![no_main]

use core::arch::{asm, naked_asm};
use core::mem::offset_of;
use core::ptr::from_ref;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use aarch64_cpu::asm::barrier;
use aarch64_cpu::registers::{HCR_EL2, Readable, TPIDR_EL2, TTBR0_EL2, Writeable};
use lazy_mmu::VirtualRange;
use lazy_mmu::aarch64::Granule;
use lazy_mmu::aarch64::descriptor::{
    EL2_DATA, EL2_TEXT, El2Leaf, Leaf, Table, USER, VALID, memory_type,
};
use lazy_mmu::aarch64::{Aarch64, FlagsAt, Kernel, PreemptCountAt, Regime, TpidrEl2};
use lazy_mmu::{Bits, Storage as _, lazy_mmu};
use lazy_mmu_examples::Fault;
use lazy_mmu_qemu::step::Tables;
use lazy_mmu_qemu::thread::THREAD;
use lazy_mmu_qemu::thread_info::{FOREIGN_FLAGS, ThreadInfo};
use lazy_mmu_qemu::virt::pages;
use lazy_mmu_qemu::{access, pool, step};
use semihosting::println;

/// A hypervisor whose bits are in the flags word that TPIDR_EL2 finds.
struct Hypervisor;

// SAFETY: `run` points TPIDR_EL2 to THREAD first. The rest is as for the kernels at EL1.
unsafe impl Kernel for Hypervisor {
    type Task = TpidrEl2;
    type Bits = FlagsAt<{ offset_of!(ThreadInfo, flags) }, 28>;
    type Interrupt = PreemptCountAt<{ offset_of!(ThreadInfo, preempt_count) }, 0x00ff_ff00>;
    const REGIME: Regime = Regime::El2;
}

type Mmu = Aarch64<Hypervisor>;

/// The third GiB, which the kernel's own table leaves free.
const BASE: u64 = 0x8000_0000;
/// Normal memory in the MAIR of these kernels.
const NORMAL: u64 = memory_type(1);

type Entries = [AtomicU64; 512];

lazy_mmu_qemu::program!(run);

unsafe extern "C" {
    /// The first instruction of `aarch64-rt`.
    fn entry();
}

/// The first instructions, which route debug exceptions to EL2 (MDCR_EL2.TDE).
#[unsafe(naked)]
#[unsafe(no_mangle)]
#[unsafe(link_section = ".init.start")]
extern "C" fn start() {
    naked_asm!(
        "mov x9, #(1 << 8)",
        "msr mdcr_el2, x9",
        "isb",
        "b {entry}",
        entry = sym entry,
    )
}

/// Returns the table at a physical address, which is also its address in the identity map.
fn table(address: u64) -> &'static Entries {
    #[expect(clippy::cast_possible_truncation, reason = "usize has 64 bits")]
    let table: *const Entries = core::ptr::with_exposed_provenance(address as usize);
    // SAFETY: the callers give pages of the pool that they have taken, or the table with which the
    // kernel was booted, which does not change. All accesses are atomic.
    unsafe { &*table }
}

fn new_table() -> (u64, &'static Entries) {
    let address = pool::page_with(0) as u64;
    (address, table(address))
}

fn page(number: usize) -> VirtualRange {
    let address = BASE + number as u64 * Granule::Kib4.page_size();
    pages(address, 1)
}

fn run() -> Result<(), Fault> {
    TPIDR_EL2.set(from_ref(&THREAD).expose_provenance() as u64);
    assert!(!HCR_EL2.is_set(HCR_EL2::E2H), "without FEAT_VHE");
    step::watch(Tables::At(pool::addresses()));

    // A copy of the kernel's table, in memory that can be written.
    let (root_address, root) = new_table();
    for (new, old) in root.iter().zip(table(TTBR0_EL2.get_baddr())) {
        new.store(old.load(Relaxed), Relaxed);
    }
    let (level_2_address, level_2) = new_table();
    let (level_3_address, slots) = new_table();
    barrier::dsb(barrier::ISHST);
    TTBR0_EL2.set(root_address);
    // SAFETY: the new table has all entries of the old one.
    unsafe {
        asm!(
            "isb",
            "tlbi alle2",
            "dsb nsh",
            "isb",
            options(nostack, preserves_flags)
        );
    };

    step::expect("(D S D I)*2", || {
        lazy_mmu::with::<Mmu, _>(|mmu| {
            mmu.write(&level_2[0], Table::at(level_3_address));
            mmu.flush();
            mmu.write(&root[2], Table::at(level_2_address));
        });
    });
    println!("B10 tables are linked: (D S D I)*2");

    let frame = pool::page_with(0xe12) as u64;
    let leaf = El2Leaf::page(frame, EL2_DATA | NORMAL);
    step::expect("S D I", || lazy_mmu::write::<Mmu, _>(&slots[0], leaf));
    assert_eq!(access::read(BASE)?, 0xe12);
    println!("B02 a leaf outside a section: S D I, and it is read");

    // The rule of EL1&0 takes it for a user leaf, and would lose its barrier.
    step::expect("S", || lazy_mmu::write::<Mmu, _>(&slots[1], Leaf(leaf.0)));
    println!("B04 the same bits by the rule of EL1&0: S");
    for (bits, order) in [
        (leaf.0, "S D I"),
        (leaf.0 & !USER, "S D I"),
        (leaf.0 & !VALID, "S"),
    ] {
        step::expect(order, || {
            lazy_mmu::with::<Mmu, _>(|mmu| mmu.write(&slots[1], El2Leaf(bits)));
        });
    }
    println!("B04 B06 by the rule of EL2: valid S D I, with AP[1] or without; invalid S");

    for pages in 1..=slots.len() {
        let ((), trace) = step::trace(|| map(&slots[..pages], leaf));
        let expected = trace.steps.len() == pages + 2;
        assert!(expected, "{pages} pages: {}", trace.order());
    }
    assert_eq!(access::read(page(511).start())?, 0xe12);
    println!("B01 B03 n stores in a section, n from 1 to 512: n stores, one pair each");

    let (old, _) = step::expect("S*2 D T d R d I", || {
        lazy_mmu::with::<Mmu, _>(|mmu| {
            mmu.write(&slots[1], leaf);
            mmu.unmap(&slots[0], page(0)).invalidate(mmu)
        })
    });
    assert_eq!(El2Leaf(old).address(Granule::Kib4), frame);
    let fault = access::read(BASE).expect_err("it is unmapped");
    println!("B20 B21 unmapped with a store pending: S*2 D T d R d I; {fault}");

    let (word, _) = step::expect("S D I", || {
        lazy_mmu::with::<Mmu, _>(|mmu| {
            let mut inner = mmu.nest();
            inner.write(&slots[0], leaf);
            inner.leave();
            access::read(BASE)
        })
    });
    assert_eq!(word?, 0xe12);
    println!("B19 a page mapped in a nested section is used before the outer leave: S D I");

    sets(&slots[0])?;
    assert_eq!(THREAD.flags.load(Relaxed), FOREIGN_FLAGS);
    assert_eq!(<Mmu as lazy_mmu::Backend>::current().load(), Bits::EMPTY);
    Ok(())
}

/// Shows by accesses what each set permits EL2 to do.
fn sets(slot: &AtomicU64) -> Result<(), Fault> {
    /// The instruction `ret`.
    const RET: u64 = 0xd65f_03c0;
    const DATA: u64 = 8;

    let frame = pool::page_with(RET) as u64;
    access::synchronise_code(frame);
    for (name, set, write, execute) in [
        ("EL2_DATA", EL2_DATA, true, false),
        ("EL2_TEXT", EL2_TEXT, false, true),
    ] {
        lazy_mmu::with::<Mmu, _>(|mmu| {
            mmu.break_before_make(slot, page(0), |_| El2Leaf::page(frame, set | NORMAL))
        });
        assert_eq!(access::read(BASE)?, RET, "{name}");
        let written = access::write(BASE + DATA, 1);
        assert_eq!(access::is_permitted(&written), write, "{name}");
        // SAFETY: the frame begins with `ret`.
        let executed = unsafe { access::execute(BASE) };
        assert_eq!(access::is_permitted(&executed), execute, "{name}");
    }
    println!("EL2_DATA: EL2 rw-");
    println!("EL2_TEXT: EL2 r-x");
    Ok(())
}

#[lazy_mmu(backend = Mmu, mmu)]
fn map(slots: &[AtomicU64], leaf: El2Leaf) {
    mmu.write_range(slots, |_| leaf);
}
