//! The pages and the frames of a thread.

use core::array::from_fn;
use core::sync::atomic::AtomicU64;

use lazy_mmu::{Backend, VirtualRange};
use lazy_mmu_examples::format::Leaf;
use lazy_mmu_examples::page::Frame;

use super::{ARENA, FRAMES, PAGES};
use crate::kernel::arena::{Arena, WORD};
use crate::kernel::virt::pages;
use crate::{MAX_OPS, read_mapped};

/// The pages and the frames of one thread, or of the handlers of one CPU.
pub(crate) struct Own {
    pub(crate) number: usize,
    arena: Arena,
    /// The number of pages that are mapped. They are the first ones.
    pub(crate) mapped: usize,
    /// The number of times that all pages were unmapped.
    pub(crate) round: usize,
}

/// A page, with the descriptor and the contents of the frame that it is to map.
#[derive(Clone, Copy)]
pub(crate) struct Page {
    pub(crate) slot: &'static AtomicU64,
    pub(crate) leaf: Leaf,
    pub(crate) address: u64,
    pub(crate) word: u64,
}

impl Page {
    /// Uses the mapping. A fault is unexpected, and ends the program.
    pub(crate) fn check(&self) {
        assert_eq!(read_mapped(self.address), self.word);
    }

    pub(crate) fn range(&self) -> VirtualRange {
        pages(self.address, 1)
    }

    pub(crate) fn write<B: Backend>(&self) {
        lazy_mmu::write::<B, _>(self.slot, self.leaf);
    }
}

impl Own {
    /// `number` counts the threads, and then the CPUs.
    pub(crate) fn new(number: usize) -> Self {
        let arena = *ARENA.get().expect("it is booted");
        Self {
            number,
            arena,
            mapped: 0,
            round: 0,
        }
    }

    /// Returns a page that is not mapped. In each round, a page maps another frame than before.
    pub(crate) fn page(&mut self) -> Page {
        self.mapped += 1;
        self.page_at(self.mapped - 1, self.round)
    }

    pub(crate) fn pages<const N: usize>(&mut self) -> [Page; N] {
        from_fn(|_| self.page())
    }

    pub(crate) fn page_at(&self, number: usize, round: usize) -> Page {
        let number = self.number * PAGES + number;
        let frame = self.number * FRAMES + round % FRAMES;
        Page {
            slot: &self.arena.slots[number],
            leaf: self.arena.leaf(frame),
            address: self.arena.range.page(number),
            word: WORD + frame as u64,
        }
    }

    /// Unmaps all pages, in one of several ways.
    pub(crate) fn clear<B: Backend>(&mut self) {
        let first = self.page_at(0, 0);
        let slots = &self.arena.slots[self.number * PAGES..][..self.mapped];
        let range = pages(first.address, self.mapped as u64);
        match self.round % 4 {
            0 => self.arena.clear::<B>(self.number * PAGES, self.mapped),
            1 => {
                let mut old = [None; PAGES];
                lazy_mmu::gather::<B, _, _>(&mut old, |gather| {
                    for number in 0..self.mapped {
                        let page = self.page_at(number, 0);
                        let added = gather.unmap(page.slot, page.range(), Frame::containing);
                        added.expect("there is room for all pages");
                    }
                });
            }
            2 => lazy_mmu::with::<B, _>(|mmu| mmu.unmap_range(slots, range).invalidate(mmu)),
            _ => {
                // The range is so long that everything is invalidated.
                let range = pages(first.address, MAX_OPS + 1);
                lazy_mmu::write_range::<B, _>(slots, |_| Leaf::INVALID);
                lazy_mmu::flush_tlb_kernel_range::<B>(range);
            }
        }
        self.mapped = 0;
        self.round += 1;
    }
}
