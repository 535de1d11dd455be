//! Tearing mappings down: clear the entries and gather the frames, remove the pages from the TLBs,
//! free the frames.
//!
//! A frame may be reused only when no TLB has its old mapping, so the frames are gathered, in
//! batches. There is no section: cleared entries need no pair, and an invalidation has barriers of
//! its own.
//! The function is named for those of Linux (`mm/memory.c`, `mm/mmu_gather.c`).

use lazy_mmu::{Full, gather};

use crate::machine::Machine;
use crate::mm::MemoryManager;
use crate::page::{Error, Frame, PageRange};

/// How many frames are gathered for one invalidation: few, so that small runs show several batches.
pub const BATCH: usize = 16;

impl<M: Machine> MemoryManager<'_, M> {
    /// Unmaps each page of `range`, and gives the frames that they were mapped to back.
    ///
    /// # Errors
    ///
    /// [`Error::NotMapped`].
    pub fn zap_range(&mut self, range: PageRange) -> Result<(), Error> {
        self.check_mapped(range)?;
        let mut frames = [None; BATCH];
        gather::<M::Backend, _, _>(&mut frames, |gather| {
            self.for_each_entry(range, |mm, slot, page| {
                let page = range.part(page, 1).into();
                let mut released = Ok(());
                while let Err(Full { .. }) = gather.unmap(slot, page, Frame::containing) {
                    gather.flush(|frame| released = released.and(mm.release(frame)));
                }
                released
            })
        })?;
        let mut frames = frames.iter().flatten();
        frames.try_for_each(|&frame| self.release(frame))
    }
}
