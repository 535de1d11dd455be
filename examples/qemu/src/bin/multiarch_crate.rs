//! The cursor of `page_table_multiarch` on a live table, with a flush through the section.
//!
//! On its own, a dropped cursor invalidates each page that it has changed, by `tlbi vaae1is;
//! dsb sy; isb`. For a new mapping this is too much, because an invalid entry is not in a TLB. For
//! a removed mapping it is too little, because a `dsb ishst` before the TLBI is missing. A walk may
//! then still find the old entry, and put it into the TLB again. Through the section, new mappings
//! share one pair, and each invalidation has its `dsb ishst`.
//!
//! The crate also stores a new table and then the entry that links it, without a barrier between
//! them. A section cannot add that barrier, so this program builds its tables first.
//!
//! The program single-steps its CPU, because an emulated CPU does not need the barriers. With a
//! word behind the level, it only uses the mappings, for the observer of `cargo xtask observe`:
//!
//! - `with_section`: the recipe. The observer reports nothing.
//! - `without_section`: the same without the section. A page is used before its `dsb`.
//! - `alone`: the crate's own flush. A frame is mapped again while a TLB may hold its old mapping.

#![no_std]
#![no_main]

use core::mem::ManuallyDrop;
use core::ptr::from_ref;

use lazy_mmu::lazy_mmu;
use lazy_mmu_qemu::step::Tables;
use lazy_mmu_qemu::thread::Mmu;
use lazy_mmu_qemu::virt::pages;
use lazy_mmu_qemu::{access, pool, program, step, upper};
use memory_addr::{PhysAddr, VirtAddr};
use page_table_entry::aarch64::A64PTE;
use page_table_multiarch::aarch64::A64PagingMetaData;
use page_table_multiarch::{
    MappingFlags, PageSize, PageTable64, PagingHandler, PagingMetaData, PagingResult,
};
use semihosting::println;

const BASE: usize = 0xffff_8000_0000_0000;
const T1SZ: u64 = 16;
const PAGES: usize = 16;

/// Tables from the pool, at their physical addresses.
struct Identity;

impl PagingHandler for Identity {
    fn alloc_frames(num: usize, _: usize) -> Option<PhysAddr> {
        assert_eq!(num, 1, "tables are pages");
        let page = from_ref(pool::take()?);
        Some(PhysAddr::from(page.expose_provenance()))
    }

    fn dealloc_frames(_: PhysAddr, _: usize) {
        // The pool has enough pages.
    }

    fn phys_to_virt(address: PhysAddr) -> VirtAddr {
        VirtAddr::from(address.as_usize())
    }
}

/// For cursors that map new pages: the section executes the barriers.
struct Mapped;

impl PagingMetaData for Mapped {
    const LEVELS: usize = 4;
    const PA_MAX_BITS: usize = 48;
    const VA_MAX_BITS: usize = 48;
    type VirtAddr = VirtAddr;

    fn flush_tlb(_: Option<VirtAddr>) {}
}

/// For cursors that change or remove mappings: complete invalidations, which also do what the
/// pending pair does.
struct Changed;

impl PagingMetaData for Changed {
    const LEVELS: usize = 4;
    const PA_MAX_BITS: usize = 48;
    const VA_MAX_BITS: usize = 48;
    type VirtAddr = VirtAddr;

    fn flush_tlb(address: Option<VirtAddr>) {
        match address {
            Some(address) => {
                let page = pages(address.as_usize() as u64, 1);
                lazy_mmu::flush_tlb_kernel_range::<Mmu>(page);
            }
            None => lazy_mmu::flush_tlb_all::<Mmu>(),
        }
    }
}

type Table<M> = PageTable64<M, A64PTE, Identity>;

lazy_mmu_qemu::program!(|| run().map_err(Shown));

fn run() -> PagingResult {
    let [one, two] = [ONE, TWO].map(|it| PhysAddr::from(pool::page_with(it)));
    program::with_word(1, |way| match way {
        None => stepped(one),
        Some("with_section") => with_section(one, two),
        Some("without_section") => without_section(one),
        Some("alone") => alone(one),
        Some(other) => panic!("`{other}` is not one of the ways"),
    })
}

/// The first words of two frames.
const ONE: u64 = 0x4321;
const TWO: u64 = 0x8765;

/// The crate's error, which does not implement `Display`.
struct Shown(page_table_multiarch::PagingError);

impl core::fmt::Display for Shown {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

fn stepped(frame: PhysAddr) -> PagingResult {
    step::watch(Tables::At(pool::addresses()));

    println!("# the cursor on its own");
    let mut table = live_table::<A64PagingMetaData>(frame)?;
    step::expect("S*16 (t y I)*16", || map(&mut table, frame)).0?;
    println!("{PAGES} pages mapped: S*16 (t y I)*16");
    check(ONE);
    step::expect("S*16 (t y I)*16", || unmap(&mut table)).0?;
    println!("{PAGES} pages unmapped: S*16 (t y I)*16: no dsb ishst before the TLBI");

    println!("# through the section");
    let mut table = live_table::<Mapped>(frame)?;
    step::expect("S*16 D I", || map_in_a_section(&mut table, frame)).0?;
    println!("B03 {PAGES} pages mapped: S*16 D I");
    check(ONE);
    let mut table = live_table::<Changed>(frame)?;
    map(&mut table, frame)?;
    check(ONE);
    step::expect("S*16 (D T d R d I)*16", || unmap_in_a_section(&mut table)).0?;
    println!("B20 {PAGES} pages unmapped: S*16 (D T d R d I)*16");
    access::read(BASE as u64).expect_err("it is unmapped");
    Ok(())
}

fn with_section(one: PhysAddr, two: PhysAddr) -> PagingResult {
    let mut table = live_table::<Mapped>(one)?;
    map_in_a_section(&mut table, one)?;
    check(ONE);
    let mut table = live_table::<Changed>(one)?;
    map(&mut table, one)?;
    check(ONE);
    unmap_in_a_section(&mut table)?;
    map(&mut table, two)?;
    check(TWO);
    Ok(())
}

fn without_section(one: PhysAddr) -> PagingResult {
    let mut table = live_table::<Mapped>(one)?;
    map(&mut table, one)?;
    check(ONE);
    Ok(())
}

/// Maps the frame at another address after the crate's flush. The first TLBI of that flush comes
/// before a `dsb`.
fn alone(frame: PhysAddr) -> PagingResult {
    let mut table = live_table::<A64PagingMetaData>(frame)?;
    map(&mut table, frame)?;
    check(ONE);
    unmap(&mut table)?;
    let other = VirtAddr::from(BASE + PAGES * 4096);
    table
        .cursor()
        .map(other, frame, PageSize::Size4K, MappingFlags::READ)
}

/// Returns a table that is live, with the tables for the first 2 MiB. The program stores only
/// leaves afterwards. The tables are not freed, because they stay live.
fn live_table<M: PagingMetaData<VirtAddr = VirtAddr>>(
    frame: PhysAddr,
) -> PagingResult<ManuallyDrop<Table<M>>> {
    let mut table = ManuallyDrop::new(Table::<M>::try_new()?);
    let last = VirtAddr::from(BASE + 511 * 4096);
    table
        .cursor()
        .map(last, frame, PageSize::Size4K, MappingFlags::READ)?;
    table.cursor().unmap(last)?;
    upper::activate(table.root_paddr().as_usize() as u64, T1SZ);
    Ok(table)
}

fn map<M: PagingMetaData<VirtAddr = VirtAddr>>(
    table: &mut Table<M>,
    frame: PhysAddr,
) -> PagingResult {
    let flags = MappingFlags::READ | MappingFlags::WRITE;
    table
        .cursor()
        .map_region(VirtAddr::from(BASE), |_| frame, PAGES * 4096, flags, false)
}

fn unmap<M: PagingMetaData<VirtAddr = VirtAddr>>(table: &mut Table<M>) -> PagingResult {
    table
        .cursor()
        .unmap_region(VirtAddr::from(BASE), PAGES * 4096)
}

#[lazy_mmu(backend = Mmu, mmu)]
fn map_in_a_section(table: &mut Table<Mapped>, frame: PhysAddr) -> PagingResult {
    mmu.note_stores(|| map(table, frame))
}

#[lazy_mmu(backend = Mmu)]
fn unmap_in_a_section(table: &mut Table<Changed>) -> PagingResult {
    unmap(table)
}

fn check(word: u64) {
    assert_eq!(access::read(BASE as u64), Ok(word));
}
