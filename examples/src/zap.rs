//! Tearing mappings down: clear the entries and gather the frames, remove the pages from the TLBs, free
//! the frames.
//!
//! A frame may be reused only when no TLB has its old mapping, so the frames are gathered, in batches.
//! They are freed *inside* the section of the walk: with DEBUG_PAGEALLOC the allocator removes each
//! from the linear map, and joins that section. The function is named for one of Linux
//! (`mm/memory.c`, `mm/mmu_gather.c`).

use lazy_mmu::{Full, gather, lazy_mmu};

use crate::machine::Machine;
use crate::mm::{MemoryManager, Missing};
use crate::page::{Error, Frame, PageRange};

/// How many frames are gathered for one invalidation.
pub const BATCH: usize = 64;

impl<M: Machine> MemoryManager<'_, M> {
    /// Unmaps each page of `range`, and gives the frames that they were mapped to back.
    ///
    /// # Errors
    ///
    /// [`Error::NotMapped`].
    #[lazy_mmu(backend = M::Backend, mmu, join)]
    pub fn zap_range(&mut self, range: PageRange) -> Result<(), Error> {
        self.check_mapped(range)?;
        let mut frames = [None; BATCH];
        gather::<M::Backend, _, _>(&mut frames, |gather| {
            self.apply_to_page_range(mmu, range, Missing::Refuse, |mm, _, slot, page| {
                let page = range.part(page, 1).into();
                let mut released = Ok(());
                while let Err(Full { .. }) = gather.unmap(slot, page, Frame::containing) {
                    gather.flush(|frame| released = released.and(mm.release(frame)));
                }
                released
            })
        })?;
        let mut frames = frames.into_iter().flatten();
        frames.try_for_each(|frame| self.release(frame))
    }
}
