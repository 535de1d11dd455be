//! Short sequences of page-table code on two CPUs, right ones and wrong ones. They test the
//! observer of `cargo xtask observe`, which must report only the wrong ones.
//!
//! The word behind the level is the name of the case that runs. Without that word, the program
//! prints the name of each case, with the kind of report that it deserves, or `right`. The CPU has
//! FEAT_TLBIRANGE and FEAT_HAFDBS (`-cpu max`).
//!
//! A case ends with code 0, also if it is wrong: an emulated CPU does not need the barriers, and
//! each access of a case succeeds. The code does not use the library, because it must be able to be
//! wrong. Nothing between a store and its access synchronizes the CPU by accident: the program does
//! not print there, and its loops have no `isb`.

#![no_std]
#![no_main]

use core::arch::asm;
use core::sync::atomic::{
    AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};

use aarch64_cpu::registers::{ReadWriteable, TCR_EL1, TTBR1_EL1, Writeable};
use lazy_mmu::aarch64::Granule;
use lazy_mmu::aarch64::descriptor::{
    ACCESSED, CONTIGUOUS, KERNEL_DATA, KERNEL_READ_ONLY, KernelLeaf, NON_GLOBAL, Table, USER_DATA,
    memory_type,
};
use lazy_mmu_qemu::access::read_mapped;
use lazy_mmu_qemu::boot::NORMAL;
use lazy_mmu_qemu::exceptions::with_pager;
use lazy_mmu_qemu::smp::{self, relax};
use lazy_mmu_qemu::words::Words;
use lazy_mmu_qemu::{program, upper};
use semihosting::println;

/// Declares the cases. Each has a name, the kind of the report that it deserves, and the code of
/// CPU 0. Behind `=>` is the code of CPU 1, which CPU 0 starts by a release store. That store is
/// not a barrier.
macro_rules! cases {
    ($($name:ident: $expected:ident { $($first:tt)* } $(=> { $($second:tt)* })?)*) => {
        const CASES: &[Case] = &[$(Case {
            name: stringify!($name),
            expected: $expected,
            first: || { $($first)* },
            second: || { $($($second)*)? },
        }),*];
    };
}

cases! {
    // A new mapping, used by the CPU that stores it.
    map: RIGHT { store(EMPTY, page(1)); dsb_ishst(); isb(); read(EMPTY); }
    dsb_sy: RIGHT { store(EMPTY, page(1)); dsb_sy(); isb(); read(EMPTY); }
    dsb_of_this_cpu: RIGHT { store(EMPTY, page(1)); dsb_nshst(); isb(); read(EMPTY); }
    svc_as_isb: RIGHT { store(EMPTY, page(1)); dsb_ishst(); svc(); read(EMPTY); }
    eret_as_isb: RIGHT { store(EMPTY, page(1)); dsb_ishst(); eret(); read(EMPTY); }
    one_pair_for_two: RIGHT {
        store(EMPTY, page(1)); store(EMPTY_2, page(2)); dsb_ishst(); isb();
        read(EMPTY); read(EMPTY_2);
    }
    same_value_again: RIGHT { store(MAPPED, page(0)); read(MAPPED); }
    failed_stxr: RIGHT { failed_stxr(MAPPED, page(1)); read(MAPPED); }
    user_page: RIGHT { store(EMPTY, user_page(1)); read(EMPTY); }
    fault_and_retry: RIGHT {
        with_pager(|_| { store(EMPTY, page(1)); dsb_ishst(); }, || read(EMPTY));
    }
    access_flag_by_hardware: RIGHT {
        set_access_flags_by_hardware();
        store(EMPTY, page(1) & !ACCESSED); dsb_ishst(); isb(); read(EMPTY);
    }
    access_flag_by_software: RIGHT {
        store(EMPTY, page(1) & !ACCESSED); store(EMPTY, page(1)); dsb_ishst(); isb(); read(EMPTY);
    }
    pair_missing: MISSING_DSB { store(EMPTY, page(1)); read(EMPTY); }
    dsb_missing: MISSING_DSB { store(EMPTY, page(1)); isb(); read(EMPTY); }
    isb_missing: MISSING_ISB { store(EMPTY, page(1)); dsb_ishst(); read(EMPTY); }
    isb_before_dsb: MISSING_ISB { store(EMPTY, page(1)); isb(); dsb_ishst(); read(EMPTY); }
    pair_before_store: MISSING_DSB { dsb_ishst(); isb(); store(EMPTY, page(1)); read(EMPTY); }
    dmb_for_dsb: MISSING_DSB { store(EMPTY, page(1)); dmb_ishst(); isb(); read(EMPTY); }
    dsb_of_loads: MISSING_DSB { store(EMPTY, page(1)); dsb_ishld(); isb(); read(EMPTY); }
    dmb_for_isb: MISSING_ISB { store(EMPTY, page(1)); dsb_ishst(); dmb_ish(); read(EMPTY); }
    second_store_late: MISSING_DSB {
        store(EMPTY, page(1)); dsb_ishst(); isb(); store(EMPTY_2, page(2));
        read(EMPTY); read(EMPTY_2);
    }
    write_without_pair: MISSING_DSB { store(EMPTY, page(1)); write(EMPTY); }
    fault_and_retry_without_dsb: MISSING_DSB {
        with_pager(|_| store(EMPTY, page(1)), || read(EMPTY));
    }
    access_flag_without_pair: MISSING_DSB {
        store(EMPTY, page(1) & !ACCESSED); dsb_ishst(); isb(); store(EMPTY, page(1)); read(EMPTY);
    }
    block_without_pair: MISSING_DSB { store(EMPTY_BLOCK, block()); read(EMPTY_BLOCK); }
    stored_by_swp: MISSING_DSB { swp(EMPTY, page(1)); isb(); read(EMPTY); }
    stored_by_cas: MISSING_DSB { cas(EMPTY, page(1)); isb(); read(EMPTY); }
    stored_by_stxr: MISSING_DSB { stxr(EMPTY, page(1)); isb(); read(EMPTY); }
    stored_by_stlr: MISSING_DSB { stlr(EMPTY, page(1)); isb(); read(EMPTY); }
    stored_by_stp: MISSING_DSB { stp(EMPTY, page(1)); isb(); read(EMPTY_2); }
    stored_by_vector: MISSING_DSB { store_vector(EMPTY, page(1)); isb(); read(EMPTY_2); }

    // A new mapping, used by another CPU.
    isb_of_another_cpu: RIGHT { store(EMPTY, page(1)); dsb_ishst(); } => { isb(); read(EMPTY); }
    svc_of_another_cpu: RIGHT { store(EMPTY, page(1)); dsb_ishst(); } => { svc(); read(EMPTY); }
    another_cpu_without_isb: MISSING_ISB {
        store(EMPTY, page(1)); dsb_ishst(); isb();
    } => { read(EMPTY); }
    another_cpu_reads_before_isb: MISSING_ISB {
        store(EMPTY, page(1)); dsb_ishst(); isb();
    } => { read(EMPTY); isb(); }
    dsb_on_another_cpu: MISSING_DSB {
        store(EMPTY, page(1)); isb();
    } => { dsb_ish(); isb(); read(EMPTY); }
    dsb_of_this_cpu_for_another: MISSING_DSB {
        store(EMPTY, page(1)); dsb_nshst(); isb();
    } => { isb(); read(EMPTY); }

    // Another frame is mapped at the same address.
    remap: RIGHT {
        store(MAPPED, 0); dsb_ishst(); vaale1is(at(MAPPED)); dsb_ish(); isb();
        map(MAPPED, page(1)); read(MAPPED);
    } => { isb(); read(MAPPED); }
    remap_by_tlbi_of_all_levels: RIGHT {
        store(MAPPED, 0); dsb_ishst(); vaae1is(at(MAPPED)); dsb_ish(); isb();
        map(MAPPED, page(1)); read(MAPPED);
    } => { isb(); read(MAPPED); }
    remap_by_tlbi_of_everything: RIGHT {
        store(MAPPED, 0); dsb_ishst(); vmalle1is(); dsb_ish(); isb();
        map(MAPPED, page(1)); read(MAPPED);
    } => { isb(); read(MAPPED); }
    remap_by_tlbi_of_range: RIGHT {
        store(MAPPED, 0); dsb_ishst(); rvaae1is(two_pages(MAPPED)); dsb_ish(); isb();
        map(MAPPED, page(1)); read(MAPPED);
    } => { isb(); read(MAPPED); }
    remap_with_level_hint: RIGHT {
        store(MAPPED, 0); dsb_ishst(); vaale1is(at(MAPPED) | level(3)); dsb_ish(); isb();
        map(MAPPED, page(1)); read(MAPPED);
    } => { isb(); read(MAPPED); }
    remap_block: RIGHT {
        store(BLOCK, 0); dsb_ishst(); vaale1is(at(BLOCK)); dsb_ish(); isb();
        map(BLOCK, block() + BLOCK_SIZE); read(BLOCK);
    } => { isb(); read(BLOCK); }
    tlbi_on_another_cpu: RIGHT {
        store(MAPPED, 0); dsb_ishst();
    } => { vaale1is(at(MAPPED)); dsb_ish(); isb(); map(MAPPED, page(1)); read(MAPPED); }
    one_dsb_for_two_tlbi: RIGHT {
        store(MAPPED, 0); store(MAPPED_2, 0); dsb_ishst();
        vaale1is(at(MAPPED)); vaale1is(at(MAPPED_2)); dsb_ish(); isb();
        map(MAPPED, page(1)); map(MAPPED_2, page(0)); read(MAPPED); read(MAPPED_2);
    }
    tlbi_missing: STALE {
        store(MAPPED, 0); dsb_ish(); isb();
        map(MAPPED, page(1)); read(MAPPED);
    }
    first_dsb_missing: STALE {
        store(MAPPED, 0); vaale1is(at(MAPPED)); dsb_ish(); isb();
        map(MAPPED, page(1)); read(MAPPED);
    }
    tlbi_before_the_store: STALE {
        vaale1is(at(MAPPED)); store(MAPPED, 0); dsb_ish(); isb();
        map(MAPPED, page(1)); read(MAPPED);
    }
    last_dsb_missing: STALE {
        store(MAPPED, 0); dsb_ishst(); vaale1is(at(MAPPED)); isb();
        map(MAPPED, page(1)); read(MAPPED);
    }
    last_dsb_of_stores: STALE {
        store(MAPPED, 0); dsb_ishst(); vaale1is(at(MAPPED)); dsb_ishst(); isb();
        map(MAPPED, page(1)); read(MAPPED);
    }
    last_dsb_of_this_cpu: STALE {
        store(MAPPED, 0); dsb_ishst(); vaale1is(at(MAPPED)); dsb_nsh(); isb();
        map(MAPPED, page(1));
    } => { isb(); read(MAPPED); }
    last_dsb_on_another_cpu: STALE {
        store(MAPPED, 0); dsb_ishst(); vaale1is(at(MAPPED));
    } => { dsb_ish(); isb(); map(MAPPED, page(1)); read(MAPPED); }
    last_isb_missing: MISSING_ISB {
        store(MAPPED, 0); dsb_ishst(); vaale1is(at(MAPPED)); dsb_ish();
        store(MAPPED, page(1)); dsb_ishst(); read(MAPPED);
    }
    pair_missing_after_remap: MISSING_DSB {
        store(MAPPED, 0); dsb_ishst(); vaale1is(at(MAPPED)); dsb_ish(); isb();
        store(MAPPED, page(1)); read(MAPPED);
    }
    tlbi_of_this_cpu: STALE {
        store(MAPPED, 0); dsb_ishst(); vaale1(at(MAPPED)); dsb_ish(); isb();
        map(MAPPED, page(1));
    } => { isb(); read(MAPPED); }
    tlbi_of_everything_on_this_cpu: STALE {
        store(MAPPED, 0); dsb_ishst(); vmalle1(); dsb_ish(); isb();
        map(MAPPED, page(1));
    } => { isb(); read(MAPPED); }
    tlbi_of_another_address: STALE {
        store(MAPPED, 0); dsb_ishst(); vaale1is(at(MAPPED_2)); dsb_ish(); isb();
        map(MAPPED, page(1)); read(MAPPED);
    }
    tlbi_of_address_zero: STALE {
        vaale1is(at(MAPPED)); store(MAPPED, 0); dsb_ishst(); vaale1is_xzr(); dsb_ish(); isb();
        map(MAPPED, page(1)); read(MAPPED);
    }
    tlbi_of_an_asid_for_a_global_page: STALE {
        store(MAPPED, 0); dsb_ishst(); aside1is(0); dsb_ish(); isb();
        map(MAPPED, page(1)); read(MAPPED);
    }
    tlbi_of_a_short_range: STALE {
        // MAPPED_2 is the third page after EMPTY_2.
        store(MAPPED_2, 0); dsb_ishst(); rvaae1is(two_pages(EMPTY_2)); dsb_ish(); isb();
        map(MAPPED_2, page(0)); read(MAPPED_2);
    }
    level_hint_of_a_block_for_a_page: STALE {
        store(MAPPED, 0); dsb_ishst(); vaale1is(at(MAPPED) | level(2)); dsb_ish(); isb();
        map(MAPPED, page(1)); read(MAPPED);
    }
    level_hint_of_a_page_for_a_block: STALE {
        store(BLOCK, 0); dsb_ishst(); vaale1is(at(BLOCK) | level(3)); dsb_ish(); isb();
        map(BLOCK, block() + BLOCK_SIZE); read(BLOCK);
    }

    // A valid entry replaces another valid one.
    change_permission: RIGHT {
        store(PROTECTED, page(3)); dsb_ishst(); vaale1is(at(PROTECTED)); dsb_ish(); isb();
        write(PROTECTED);
    }
    change_permission_without_tlbi: STALE {
        store(PROTECTED, page(3)); dsb_ishst(); isb(); write(PROTECTED);
    }
    change_frame_at_once: BREAK {
        store(MAPPED, page(1)); dsb_ishst(); vaale1is(at(MAPPED)); dsb_ish(); isb(); read(MAPPED);
    }
    change_memory_type: RIGHT {
        store(MAPPED, 0); dsb_ishst(); vaale1is(at(MAPPED)); dsb_ish(); isb();
        map(MAPPED, device_page(0)); read(MAPPED);
    }
    change_memory_type_at_once: BREAK {
        store(MAPPED, device_page(0)); dsb_ishst(); vaale1is(at(MAPPED)); dsb_ish(); isb();
        read(MAPPED);
    }
    make_contiguous_at_once: BREAK {
        store(MAPPED, page(0) | CONTIGUOUS); dsb_ishst(); vaale1is(at(MAPPED)); dsb_ish(); isb();
        read(MAPPED);
    }
    make_global_at_once: BREAK {
        map(EMPTY, page(1) | NON_GLOBAL);
        store(EMPTY, page(1)); dsb_ishst(); vaale1is(at(EMPTY)); dsb_ish(); isb(); read(EMPTY);
    }
    split_block: RIGHT {
        fill(NEW_TABLE, block_part()); store(BLOCK, 0);
        dsb_ishst(); vaale1is(at(BLOCK)); dsb_ish(); isb();
        map(BLOCK, table(NEW_TABLE)); read(BLOCK);
    }
    split_block_at_once: BREAK {
        fill(NEW_TABLE, block_part()); dsb_ishst();
        store(BLOCK, table(NEW_TABLE)); dsb_ishst(); vaae1is(at(BLOCK)); dsb_ish(); isb();
        read(BLOCK);
    }

    // The same frame is mapped at another address.
    reuse_frame: RIGHT {
        store(MAPPED, 0); dsb_ishst(); vaale1is(at(MAPPED)); dsb_ish(); isb();
        map(EMPTY, page(0)); read(EMPTY);
    }
    map_frame_twice: RIGHT { map(EMPTY, page(0)); read(EMPTY); read(MAPPED); }
    reuse_frame_without_tlbi: FRAME_REUSE {
        store(MAPPED, 0); dsb_ish(); isb();
        map(EMPTY, page(0)); read(EMPTY);
    }
    reuse_frame_before_last_dsb: FRAME_REUSE {
        store(MAPPED, 0); dsb_ishst(); vaale1is(at(MAPPED));
        store(EMPTY, page(0)); dsb_ish(); isb(); read(EMPTY);
    }
    reuse_frame_after_tlbi_of_this_cpu: FRAME_REUSE {
        store(MAPPED, 0); dsb_ishst(); vaale1(at(MAPPED)); dsb_ish(); isb();
    } => { map(EMPTY, page(0)); read(EMPTY); }

    // A table is linked.
    link: RIGHT {
        fill(NEW_TABLE, page(1)); dsb_ishst(); map(ABSENT, table(NEW_TABLE)); read(ABSENT);
    }
    link_after_dmb: RIGHT {
        fill(NEW_TABLE, page(1)); dmb_ishst(); map(ABSENT, table(NEW_TABLE)); read(ABSENT);
    }
    link_by_stlr: RIGHT {
        fill(NEW_TABLE, page(1)); stlr(ABSENT, table(NEW_TABLE)); dsb_ishst(); isb(); read(ABSENT);
    }
    link_by_swpal: RIGHT {
        fill(NEW_TABLE, page(1)); swpal(ABSENT, table(NEW_TABLE)); dsb_ishst(); isb(); read(ABSENT);
    }
    one_pair_for_table_and_leaf: RIGHT {
        store(ABSENT, table(NEW_TABLE)); fill(NEW_TABLE, page(1)); dsb_ishst(); isb(); read(ABSENT);
    }
    link_without_barrier: UNORDERED {
        fill(NEW_TABLE, page(1)); map(ABSENT, table(NEW_TABLE)); read(ABSENT);
    }
    link_after_isb: UNORDERED {
        fill(NEW_TABLE, page(1)); isb(); map(ABSENT, table(NEW_TABLE)); read(ABSENT);
    }
    link_after_dsb_of_loads: UNORDERED {
        fill(NEW_TABLE, page(1)); dsb_ishld(); map(ABSENT, table(NEW_TABLE)); read(ABSENT);
    }
    link_by_swp: UNORDERED {
        fill(NEW_TABLE, page(1)); swp(ABSENT, table(NEW_TABLE)); dsb_ishst(); isb(); read(ABSENT);
    }
    link_without_pair: MISSING_DSB {
        fill(NEW_TABLE, page(1)); dmb_ishst(); store(ABSENT, table(NEW_TABLE)); read(ABSENT);
    }
    leaf_without_pair_after_link: MISSING_DSB {
        map(ABSENT, table(NEW_TABLE)); fill(NEW_TABLE, page(1)); read(ABSENT);
    }

    // A table is unlinked, and its memory gets another use.
    unlink: RIGHT {
        store(LINKED, 0); dsb_ishst(); vaae1is(at(LINKED)); dsb_ish(); isb(); fill(OLD_TABLE, DATA);
    }
    unlink_by_tlbi_of_range: RIGHT {
        store(LINKED, 0); dsb_ishst(); rvaae1is(two_pages(LINKED)); dsb_ish(); isb();
        fill(OLD_TABLE, DATA);
    }
    unlink_without_tlbi: TABLE_REUSE {
        store(LINKED, 0); dsb_ish(); isb(); fill(OLD_TABLE, DATA);
    }
    unlink_without_first_dsb: TABLE_REUSE {
        store(LINKED, 0); vaae1is(at(LINKED)); dsb_ish(); isb(); fill(OLD_TABLE, DATA);
    }
    unlink_without_last_dsb: TABLE_REUSE {
        store(LINKED, 0); dsb_ishst(); vaae1is(at(LINKED)); isb(); fill(OLD_TABLE, DATA);
    }
    unlink_by_tlbi_of_last_level: TABLE_REUSE {
        store(LINKED, 0); dsb_ishst(); vaale1is(at(LINKED)); dsb_ish(); isb();
        fill(OLD_TABLE, DATA);
    }
    unlink_by_tlbi_of_this_cpu: TABLE_REUSE {
        store(LINKED, 0); dsb_ishst(); vaae1(at(LINKED)); dsb_ish(); isb(); fill(OLD_TABLE, DATA);
    }

    // Another table becomes the root on this CPU.
    change_root: RIGHT {
        fill_tables_of_new_root(); dsb_ishst(); set_root(&NEW_LEVEL_1);
        isb(); vmalle1(); dsb_nsh(); isb(); read(MAPPED);
    }
    change_root_without_barrier: UNORDERED {
        fill_tables_of_new_root(); set_root(&NEW_LEVEL_1);
        isb(); vmalle1(); dsb_nsh(); isb(); read(MAPPED);
    }
}

/// A case.
struct Case {
    name: &'static str,
    /// The kind of the observer's report, or [`RIGHT`].
    expected: &'static str,
    first: fn(),
    second: fn(),
}

const RIGHT: &str = "right";
const MISSING_DSB: &str = "missing-dsb";
const MISSING_ISB: &str = "missing-isb";
const STALE: &str = "stale-translation";
const FRAME_REUSE: &str = "frame-reuse";
const TABLE_REUSE: &str = "table-reuse";
const UNORDERED: &str = "unordered-table";
const BREAK: &str = "break-before-make";

const PAGE_SIZE: u64 = 4096;
const BLOCK_SIZE: u64 = 512 * PAGE_SIZE;
/// With this T1SZ, TTBR1 translates 39 bits, and the root is at level 1.
const T1SZ: u64 = 25;
/// The first address that TTBR1 translates.
const BASE: u64 = !0 << (64 - T1SZ);

/// A live entry, and the first address that it translates.
#[derive(Clone, Copy)]
struct Place {
    slot: &'static AtomicU64,
    address: u64,
}

const fn page_at(number: usize) -> Place {
    Place {
        slot: &LEVEL_3.0[number],
        address: BASE + number as u64 * PAGE_SIZE,
    }
}

const fn block_at(number: usize) -> Place {
    Place {
        slot: &LEVEL_2.0[number],
        address: BASE + number as u64 * BLOCK_SIZE,
    }
}

/// Two pages that map nothing.
const EMPTY: Place = page_at(0);
const EMPTY_2: Place = page_at(1);
/// Two pages that map frames 0 and 1.
const MAPPED: Place = page_at(2);
const MAPPED_2: Place = page_at(3);
/// A page that maps frame 3, read-only.
const PROTECTED: Place = page_at(4);
/// An entry that links [`OLD_TABLE`].
const LINKED: Place = block_at(1);
/// A block.
const BLOCK: Place = block_at(2);
/// Two entries that map and link nothing.
const EMPTY_BLOCK: Place = block_at(3);
const ABSENT: Place = block_at(4);

static LEVEL_1: Words<512> = Words::new();
static LEVEL_2: Words<512> = Words::new();
static LEVEL_3: Words<512> = Words::new();
/// Two more tables of level 3.
static LEVEL_3_OLD: Words<512> = Words::new();
static LEVEL_3_NEW: Words<512> = Words::new();
/// The table that [`LINKED`] links.
const OLD_TABLE: &Words<512> = &LEVEL_3_OLD;
/// A table that is not linked.
const NEW_TABLE: &Words<512> = &LEVEL_3_NEW;
/// The tables of another root, in which [`MAPPED`] maps frame 1.
static NEW_LEVEL_1: Words<512> = Words::new();
static NEW_LEVEL_2: Words<512> = Words::new();
static NEW_LEVEL_3: Words<512> = Words::new();
/// The frames.
static FRAMES: [Words<512>; 4] = [const { Words::new() }; 4];
/// What the memory of a table holds in its next use.
const DATA: u64 = 0x00c0_5c05;

/// Returns the descriptor of a page that maps frame `number`.
fn page(number: usize) -> u64 {
    page_with(number, NORMAL)
}

fn user_page(number: usize) -> u64 {
    page_with(number, USER_DATA | memory_type(1))
}

fn device_page(number: usize) -> u64 {
    page_with(number, KERNEL_DATA | memory_type(0))
}

fn page_with(number: usize, attributes: u64) -> u64 {
    KernelLeaf::page(FRAMES[number].address(), attributes).0
}

/// Memory that has no other use.
const FREE_MEMORY: u64 = 0x5000_0000;

/// Returns the descriptor of [`BLOCK`].
fn block() -> u64 {
    let block = KernelLeaf::new(Granule::Kib4, 2, FREE_MEMORY, NORMAL);
    block.expect("it is the address of a block").0
}

/// Returns the descriptor of the first page of that block.
fn block_part() -> u64 {
    KernelLeaf::page(FREE_MEMORY, NORMAL).0
}

fn table(table: &'static Words<512>) -> u64 {
    Table::at(table.address()).0
}

// The instructions of the cases. Each function is one instruction, or one store.

fn store(place: Place, value: u64) {
    place.slot.store(value, Relaxed);
}

fn stlr(place: Place, value: u64) {
    place.slot.store(value, Release);
}

fn swp(place: Place, value: u64) {
    place.slot.swap(value, Relaxed);
}

fn swpal(place: Place, value: u64) {
    place.slot.swap(value, AcqRel);
}

fn cas(place: Place, value: u64) {
    let old = place.slot.compare_exchange(0, value, Relaxed, Relaxed);
    old.expect("the entry is 0");
}

/// Stores the first word of a table.
fn fill(table: &'static Words<512>, value: u64) {
    table.0[0].store(value, Relaxed);
}

fn fill_tables_of_new_root() {
    // MAPPED is the third page.
    NEW_LEVEL_3.0[2].store(page(1), Relaxed);
    fill(&NEW_LEVEL_2, table(&NEW_LEVEL_3));
    fill(&NEW_LEVEL_1, table(&NEW_LEVEL_2));
}

fn set_root(table: &'static Words<512>) {
    TTBR1_EL1.set(table.address());
}

/// Stores `value` in the entry, by a pair of exclusive instructions.
fn stxr(place: Place, value: u64) {
    // SAFETY: the cases own the entry.
    unsafe {
        asm!("2: ldxr {failed}, [{slot}]", "stxr {failed:w}, {value}, [{slot}]",
            "cbnz {failed:w}, 2b", failed = out(reg) _, value = in(reg) value,
            slot = in(reg) place.slot.as_ptr(), options(nostack, preserves_flags));
    }
}

/// Executes a store exclusive that fails.
fn failed_stxr(place: Place, value: u64) {
    let failed: u64;
    // SAFETY: the store fails, because the monitor is clear.
    unsafe {
        asm!("clrex", "stxr {failed:w}, {value}, [{slot}]", failed = out(reg) failed,
            value = in(reg) value, slot = in(reg) place.slot.as_ptr(),
            options(nostack, preserves_flags));
    }
    assert_eq!(failed, 1, "the store fails");
}

/// Stores 0 in the entry, and `value` in the one behind it, by one instruction.
fn stp(place: Place, value: u64) {
    // SAFETY: the cases own both entries.
    unsafe {
        asm!("stp xzr, {value}, [{slot}]", value = in(reg) value,
            slot = in(reg) place.slot.as_ptr(), options(nostack, preserves_flags));
    }
}

/// Stores `value` in the entry and in the one behind it, by one instruction.
fn store_vector(place: Place, value: u64) {
    // SAFETY: the cases own both entries.
    unsafe {
        asm!("dup v0.2d, {value}", "str q0, [{slot}]", value = in(reg) value,
            slot = in(reg) place.slot.as_ptr(), out("v0") _, options(nostack, preserves_flags));
    }
}

/// Stores `value`, and executes the barrier pair.
fn map(place: Place, value: u64) {
    store(place, value);
    dsb_ishst();
    isb();
}

/// Reads the first word that the entry translates.
fn read(place: Place) {
    read_mapped(place.address);
}

/// Writes to the first word that the entry translates.
fn write(place: Place) {
    // SAFETY: the cases map only their own frames there.
    unsafe {
        asm!("str xzr, [{address}]", address = in(reg) place.address,
            options(nostack, preserves_flags));
    }
}

/// Defines a function for each instruction without an operand.
macro_rules! instructions {
    ($($name:ident: $text:literal;)*) => {$(
        #[inline(always)]
        fn $name() {
            // SAFETY: the instruction does not change memory. The compiler does not move accesses
            // over it, because the options do not contain `nomem`.
            unsafe { asm!($text, options(nostack, preserves_flags)) };
        }
    )*};
}

instructions! {
    isb: "isb";
    dsb_sy: "dsb sy";
    dsb_ish: "dsb ish";
    dsb_ishst: "dsb ishst";
    dsb_ishld: "dsb ishld";
    dsb_nsh: "dsb nsh";
    dsb_nshst: "dsb nshst";
    dmb_ish: "dmb ish";
    dmb_ishst: "dmb ishst";
    vmalle1: "tlbi vmalle1";
    vmalle1is: "tlbi vmalle1is";
    vaale1is_xzr: "tlbi vaale1is, xzr";
}

/// Defines a function for each invalidation with an operand.
macro_rules! invalidations {
    ($($name:ident: $text:literal;)*) => {$(
        #[inline(always)]
        fn $name(operand: u64) {
            // SAFETY: as above.
            unsafe { asm!($text, in(reg) operand, options(nostack, preserves_flags)) };
        }
    )*};
}

invalidations! {
    vaae1: "tlbi vaae1, {}";
    vaae1is: "tlbi vaae1is, {}";
    vaale1: "tlbi vaale1, {}";
    vaale1is: "tlbi vaale1is, {}";
    aside1is: "tlbi aside1is, {}";
    // RVAAE1IS, whose name the assembler does not know without FEAT_TLBIRANGE.
    rvaae1is: "sys #0, c8, c2, #3, {}";
}

/// Returns the operand of an invalidation by address: VA\[55:12\].
fn at(place: Place) -> u64 {
    (place.address >> 12) & ((1 << 44) - 1)
}

/// Returns the TTL for an operand: the 4 KiB granule and the level of the leaf.
fn level(level: u64) -> u64 {
    (0b0100 | level) << 44
}

/// Returns the operand of a range of two pages: the 4 KiB granule, with SCALE and NUM of 0.
fn two_pages(place: Place) -> u64 {
    (place.address >> 12) & ((1 << 37) - 1) | 0b01 << 46
}

/// Takes an exception and returns from it.
fn svc() {
    // SAFETY: the handler does nothing and restores all registers.
    unsafe { asm!("svc #0", options(nostack)) };
}

/// Continues with the next instruction by an exception return.
fn eret() {
    /// SPSR_EL1 for EL1 with its own stack pointer, and with exceptions masked.
    const EL1: u64 = 0b1111 << 6 | 0b0101;

    // SAFETY: the program runs in this state, and continues behind the instruction.
    unsafe {
        asm!("adr {next}, 2f", "msr elr_el1, {next}", "msr spsr_el1, {state}", "eret", "2:",
            next = out(reg) _, state = in(reg) EL1, options(nostack));
    }
}

/// Lets this CPU set Access flags (FEAT_HAFDBS).
fn set_access_flags_by_hardware() {
    TCR_EL1.modify(TCR_EL1::HA::Enable);
    isb();
}

lazy_mmu_qemu::program!(run);

fn run() -> Result<(), &'static str> {
    program::with_word(1, |name| match name {
        Some(name) => {
            let case = CASES.iter().find(|it| it.name == name);
            run_case(case.ok_or("there is no such case")?);
            Ok(())
        }
        None => {
            for Case { name, expected, .. } in CASES {
                println!("{name} {expected}");
            }
            Ok(())
        }
    })
}

/// The parts of a case that are over.
static DONE: AtomicU64 = AtomicU64::new(0);

/// Tells the other CPU that part `number` is over, by a release store.
fn done(number: u64) {
    DONE.store(number, Release);
}

/// Waits until part `number` is over.
fn wait_for(number: u64) {
    while DONE.load(Acquire) < number {
        relax();
    }
}

/// Makes the tables live on both CPUs, and runs the case.
fn run_case(case: &'static Case) {
    store(MAPPED, page(0));
    store(MAPPED_2, page(1));
    store(PROTECTED, page_with(3, KERNEL_READ_ONLY | memory_type(1)));
    fill(OLD_TABLE, page(2));
    store(block_at(0), table(&LEVEL_3));
    store(LINKED, table(OLD_TABLE));
    store(BLOCK, block());
    fill(&LEVEL_1, table(&LEVEL_2));
    upper::activate(LEVEL_1.address(), T1SZ);
    read(MAPPED);
    smp::start_cpu(1, || {
        upper::activate(LEVEL_1.address(), T1SZ);
        read(MAPPED);
        done(1);
        wait_for(2);
        (case.second)();
        done(3);
        loop {
            relax();
        }
    });
    wait_for(1);
    (case.first)();
    done(2);
    wait_for(3);
}
