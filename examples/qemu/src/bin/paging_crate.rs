//! `aarch64-paging` on an active table, inside a section.
//!
//! The crate stores the descriptors. `note_stores` marks the stores as pending, on every way out of
//! the crate, and the section executes one barrier pair. The program shows two cases:
//!
//! - The crate knows that the table is active. It then synchronises after every call: `dsb ishst`,
//!   the TLBI instructions, `dsb ish`, `isb`. For an invalid entry the TLBI is useless, because
//!   such an entry is not in a TLB.
//! - The crate does not know that the table is active. Here the program loads TTBR1 itself. The
//!   crate then leaves barriers to its caller, and a section needs one pair for any number of
//!   calls.

#![no_std]
#![no_main]

use core::ptr::{NonNull, from_ref};

use aarch64_paging::Mapping;
use aarch64_paging::descriptor::{El1Attributes as Attributes, PhysicalAddress};
use aarch64_paging::paging::{Constraints, El1And0, MemoryRegion, PageTable, Translation, VaRange};
use lazy_mmu::lazy_mmu;
use lazy_mmu_qemu::step::Tables;
use lazy_mmu_qemu::thread::Mmu;
use lazy_mmu_qemu::virt::pages;
use lazy_mmu_qemu::{access, pool, step, upper};
use semihosting::println;

/// Normal memory for the kernel.
const NORMAL: Attributes = Attributes::VALID
    .union(Attributes::ATTRIBUTE_INDEX_1)
    .union(Attributes::INNER_SHAREABLE)
    .union(Attributes::ACCESSED)
    .union(Attributes::UXN)
    .union(Attributes::PXN);

/// The start of the upper 512 GiB, which need three levels of tables.
const BASE: usize = 0xffff_ff80_0000_0000;
const T1SZ: u64 = 64 - 39;
const PAGES: usize = 16;

/// Tables from the pool, at their physical addresses.
struct Identity;

impl Translation<Attributes> for Identity {
    fn allocate_table(&mut self) -> (NonNull<PageTable<Attributes>>, PhysicalAddress) {
        let page = from_ref(pool::take().expect("there are pages"));
        let table = NonNull::new(page.cast_mut().cast()).expect("the page is not at 0");
        (table, PhysicalAddress(page.expose_provenance()))
    }

    unsafe fn deallocate_table(&mut self, _: NonNull<PageTable<Attributes>>) {
        // The pool has enough pages.
    }

    fn physical_to_virtual(&self, address: PhysicalAddress) -> NonNull<PageTable<Attributes>> {
        let table = core::ptr::with_exposed_provenance_mut(address.0);
        NonNull::new(table).expect("the table is not at 0")
    }
}

type Map = Mapping<Identity, El1And0>;

lazy_mmu_qemu::program!(run);

fn run() -> Result<(), aarch64_paging::MapError> {
    step::watch(Tables::At(pool::addresses()));
    let mut map = Map::with_asid_and_va_range(Identity, 0, 1, El1And0, VaRange::Upper);
    // This call makes the tables for the first 2 MiB, so that the calls below store only leaves.
    map.map_range(
        &page(511),
        PhysicalAddress(0),
        Attributes::empty(),
        Constraints::empty(),
    )?;
    let frame = pool::page_with(0x1234);
    upper::activate(map.root_address().0 as u64, T1SZ);

    println!("# a table that the crate does not know to be active");
    step::expect("S*16 D I", || map_pages(&mut map, 0, frame)).0?;
    println!("B03 {PAGES} calls of map_range in a section: S*16 D I");
    check(0, 0x1234);
    step::expect("S", || {
        map.map_range(
            &page(PAGES),
            PhysicalAddress(frame),
            NORMAL,
            Constraints::empty(),
        )
    })
    .0?;
    println!("one call without a section: S, and no barrier");
    step::expect("S*16 D T*16 d R d I", || protect(&mut map, 0)).0?;
    println!("B20 B21 modify_range to read-only, and the TLB, in a section: S*16 D T*16 d R d I");
    access::write(BASE as u64, 1).expect_err("it is read-only");
    check(0, 0x1234);

    println!("# a table that the crate knows to be active");
    // SAFETY: the table maps only pages of the pool, and the kernel runs in TTBR0's map.
    unsafe { map.activate() };
    step::expect("(S D t d I)*16 D I", || {
        map_pages(&mut map, 2 * PAGES, frame)
    })
    .0?;
    println!("{PAGES} calls of map_range in a section: (S D t d I)*16 D I");
    check(2 * PAGES, 0x1234);
    println!(
        "the crate's own barriers are in each call, and the section's pair, which cannot know \
         of them, at the end"
    );
    // The table stays active.
    core::mem::forget(map);
    Ok(())
}

fn page(number: usize) -> MemoryRegion {
    let start = BASE + number * 4096;
    MemoryRegion::new(start, start + 4096)
}

/// Maps pages, one call for each, as a driver or a loader does.
#[lazy_mmu(backend = Mmu, mmu)]
fn map_pages(map: &mut Map, first: usize, frame: usize) -> Result<(), aarch64_paging::MapError> {
    for number in first..first + PAGES {
        let frame = PhysicalAddress(frame);
        mmu.note_stores(|| map.map_range(&page(number), frame, NORMAL, Constraints::empty()))?;
    }
    Ok(())
}

/// Makes the pages read-only. Valid entries change, so the TLBs must be invalidated. The
/// invalidation also does what the pending pair does.
#[lazy_mmu(backend = Mmu, mmu)]
fn protect(map: &mut Map, first: usize) -> Result<(), aarch64_paging::MapError> {
    let start = BASE + first * 4096;
    let region = MemoryRegion::new(start, start + PAGES * 4096);
    let result = mmu.note_stores(|| {
        map.modify_range(&region, &|_, entry| {
            entry.modify_flags(Attributes::READ_ONLY, Attributes::empty())
        })
    });
    mmu.flush_tlb_kernel_range(pages(start as u64, PAGES as u64));
    result
}

fn check(number: usize, word: u64) {
    assert_eq!(access::read((BASE + number * 4096) as u64), Ok(word));
}
