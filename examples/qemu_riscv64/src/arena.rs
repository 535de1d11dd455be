//! The working set of the programs that interrupt sections: the entries of a live table, and a
//! frame that the programs map there. A memory manager owns both.

use core::sync::atomic::AtomicU64;

use lazy_mmu::Backend;
use lazy_mmu_examples::format::Leaf;
use lazy_mmu_examples::page::VMALLOC_BASE;
use lazy_mmu_examples::{Error, Frame, Machine, MemoryManager, PageRange};

use crate::virt::{Virt, entries};

const FRAMES: usize = 2048;

/// The first word of the frame.
pub const WORD: u64 = 0x00c0_5c05;

/// Consecutive entries of a live table, and a frame.
#[derive(Clone, Copy, Debug)]
pub struct Arena {
    /// The entries.
    pub slots: &'static [AtomicU64],
    /// The virtual addresses that the entries translate.
    pub range: PageRange,
    frame: Frame,
}

impl Arena {
    /// Boots a memory manager, builds a table for `count` pages, and allocates a frame. The arena
    /// is valid until the next boot.
    pub fn boot<B: Backend>(
        count: usize,
    ) -> Result<(MemoryManager<'static, Virt<B>>, Self), Error> {
        let mut mm = Virt::<B>::boot(FRAMES, false)?;
        let range = PageRange::new(VMALLOC_BASE, count)?;
        mm.build_tables(range)?;
        let slots = &entries(&mm, range.start())?[..count];
        let frame = mm.allocate(1)?;
        mm.machine().write(frame.linear(), WORD)?;
        let arena = Self {
            slots,
            range,
            frame,
        };
        Ok((mm, arena))
    }

    /// Returns the leaf that maps the frame for the kernel.
    pub fn leaf(&self) -> Leaf {
        self.frame.kernel_page()
    }

    /// Returns the leaf that maps the frame for a user.
    pub fn user_leaf(&self) -> Leaf {
        self.frame.user_page()
    }

    /// Removes the mappings of all pages.
    pub fn clear<B: Backend>(&self) {
        for slot in self.slots {
            lazy_mmu::write::<B, _>(slot, Leaf::INVALID);
        }
        lazy_mmu::flush_tlb_kernel_range::<B>(self.range.into());
    }
}
