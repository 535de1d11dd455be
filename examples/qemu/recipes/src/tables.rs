//! The live tables, to which TTBR1 points.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use lazy_mmu::aarch64::descriptor::{Leaf, Table};
use lazy_mmu::{Backend, VirtualRange};
use lazy_mmu_qemu::boot::NORMAL;
use lazy_mmu_qemu::virt::pages;
use lazy_mmu_qemu::words::Words;
use lazy_mmu_qemu::{access, upper};

/// T1SZ, with which TTBR1 translates the last GiB.
const T1SZ: u64 = 34;
/// The first address of the last GiB.
const BASE: u64 = 0xffff_ffff_c000_0000;

/// The root table, with an entry for each 2 MiB of the last GiB.
static ROOT: Words<512> = Words::new();
/// The table of the first 2 MiB.
static LEAVES: Words<512> = Words::new();
/// Memory to map there.
static FRAMES: [Words<512>; 8] = [const { Words::new() }; 8];

/// Lets the MMU walk the tables. They do not map a page yet.
pub fn activate() {
    // Walkers do not reach this table yet. The barriers of `activate` order this store too.
    ROOT.0[0].store(Table::at(LEAVES.address()).0, Relaxed);
    for (number, frame) in FRAMES.iter().enumerate() {
        frame.0[0].store(number as u64, Relaxed);
    }
    upper::activate(ROOT.address(), T1SZ);
}

/// Returns the entry of page `page`.
pub fn slot(page: usize) -> &'static AtomicU64 {
    &LEAVES.0[page]
}

/// Returns the descriptor that maps frame `frame`.
pub fn leaf(frame: usize) -> Leaf {
    Leaf::page(FRAMES[frame].address(), NORMAL)
}

/// Reads through the mapping of page `page`, and checks that it shows frame `frame`.
pub fn check(page: usize, frame: usize) {
    let word = access::read_mapped(range(page).start());
    assert_eq!(word, frame as u64, "page {page} shows another frame");
}

/// Removes the mapping of `page`.
pub fn unmap<B: Backend>(page: usize) {
    lazy_mmu::aarch64::unmap::<B>(slot(page), range(page)).invalidate_now();
}

fn range(page: usize) -> VirtualRange {
    pages(BASE + 4096 * page as u64, 1)
}
