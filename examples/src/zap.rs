//! Removal of mappings: clear the entries, invalidate the TLBs, and free the frames.
//!
//! A frame can be reused only after the TLBs no longer hold its old mapping. The function therefore
//! gathers frames in batches, and frees a batch after its invalidation. It does not open a section,
//! because cleared entries do not need the barrier pair, and an invalidation has its own barriers.
//! Linux does the same in `mm/memory.c` and `mm/mmu_gather.c`.

use lazy_mmu::{Full, gather};

use crate::machine::Machine;
use crate::mm::MemoryManager;
use crate::page::{Error, Frame, PageRange};

/// The number of frames for one invalidation.
///
/// It is small, so that short runs have several batches.
pub const BATCH: usize = 16;

impl<M: Machine> MemoryManager<'_, M> {
    /// Unmaps each page of `range`, and frees the frames of the pages.
    ///
    /// # Errors
    ///
    /// [`Error::NotMapped`] if a page of the range is not mapped.
    pub fn zap_range(&mut self, range: PageRange) -> Result<(), Error> {
        self.check_mapped(range)?;
        let mut frames = [None; BATCH];
        gather::<M::Backend, _, _>(&mut frames, |gather| {
            self.for_each_entry(range, |mm, slot, page| {
                let page = range.part(page, 1).into();
                let mut released = Ok(());
                while let Err(Full { .. }) = gather.unmap(slot, page, Frame::in_descriptor) {
                    gather.flush(|frame| released = released.and(mm.release(frame)));
                }
                released
            })
        })?;
        let mut frames = frames.iter().flatten();
        frames.try_for_each(|&frame| self.release(frame))
    }
}
