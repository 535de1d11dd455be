//! The working set of the programs that interrupt, preempt and migrate sections: the entries of a
//! live table, and frames that the programs map there. A memory manager owns both.

use core::sync::atomic::AtomicU64;

use lazy_mmu::Backend;
use lazy_mmu_examples::format::Leaf;
use lazy_mmu_examples::page::{LEAF_LEVEL, VMALLOC_BASE};
use lazy_mmu_examples::{Error, Frame, Machine, MemoryManager, PageRange};

use crate::access;
use crate::virt::{Virt, entries, pages};

const FRAMES: usize = 2048;

/// The first word of frame 0. Each further frame has its number added to this.
pub const WORD: u64 = 0x00c0_5c05;

/// Consecutive entries of a live table, and frames.
#[derive(Clone, Copy, Debug)]
pub struct Arena {
    /// The entries.
    pub slots: &'static [AtomicU64],
    /// The virtual addresses that the entries translate.
    pub range: PageRange,
    first: Frame,
}

impl Arena {
    /// Boots a memory manager, builds a table for `count` pages, and allocates `frames` frames. The
    /// arena is valid until the next boot.
    pub fn boot<B: Backend>(
        count: usize,
        frames: usize,
        debug_pagealloc: bool,
    ) -> Result<(MemoryManager<'static, Virt<B>>, Self), Error> {
        let mut mm = Virt::<B>::boot(FRAMES, debug_pagealloc)?;
        let range = PageRange::new(VMALLOC_BASE, count)?;
        mm.build_tables(range)?;
        let slots = &entries(&mm, range.start(), LEAF_LEVEL)?[..count];
        let first = mm.allocate(frames)?;
        for number in 0..frames {
            let word = WORD + number as u64;
            mm.machine().write(first.add(number).linear(), word)?;
        }
        let arena = Self {
            slots,
            range,
            first,
        };
        Ok((mm, arena))
    }

    /// Returns the descriptor that maps frame `number` for the kernel.
    pub fn leaf(&self, number: usize) -> Leaf {
        self.first.add(number).kernel_page()
    }

    /// Returns the descriptor that maps frame 0 for a user.
    pub fn user_leaf(&self) -> Leaf {
        self.first.user_page()
    }

    /// Reads through the mapping of page `number`, and checks that it shows frame `frame`.
    ///
    /// A fault is unexpected, and ends the program.
    pub fn check(&self, number: usize, frame: usize) {
        let word = access::read_mapped(self.range.page(number));
        assert_eq!(word, WORD + frame as u64, "page {number}");
    }

    /// Removes the mappings of `count` pages, beginning with page `first`.
    pub fn clear<B: Backend>(&self, first: usize, count: usize) {
        for slot in &self.slots[first..][..count] {
            lazy_mmu::write::<B, _>(slot, Leaf::INVALID);
        }
        let range = pages(self.range.page(first), count as u64);
        lazy_mmu::flush_tlb_kernel_range::<B>(range);
    }
}
