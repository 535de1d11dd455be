//! Allocating and freeing frames, and what DEBUG_PAGEALLOC does with them: a free frame is not in the linear map, so
//! that a stray access to it faults.
//!
//! This is where sections nest by themselves: code that allocates inside a section of its own knows
//! nothing of the linear map. A release has no section, because it makes nothing visible.

use lazy_mmu::lazy_mmu;

use crate::machine::Machine;
use crate::mm::MemoryManager;
use crate::page::{Error, Frame, PageRange};

impl<M: Machine> MemoryManager<'_, M> {
    /// Allocates `count` frames in a row; returns the first. They can be accessed through the linear map at once.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfFrames`] if there are not so many free in a row; nothing was changed.
    #[inline(never)] // As `apply_to_page_range`.
    pub fn allocate(&mut self, count: usize) -> Result<Frame, Error> {
        let first = self
            .frames
            .take(count)
            .ok_or(Error::OutOfFrames { done: 0 })?;
        if self.debug_pagealloc {
            self.map_linear(first, count)?;
        }
        Ok(first)
    }

    /// Gives `frame` back. With DEBUG_PAGEALLOC any access to it through the linear map faults
    /// from now on.
    ///
    /// # Errors
    ///
    /// [`Error::NotAllocated`].
    pub fn release(&mut self, frame: Frame) -> Result<(), Error> {
        if !self.frames.is_allocated(frame) {
            return Err(Error::NotAllocated { frame });
        }
        if self.debug_pagealloc {
            self.unmap_range(PageRange::linear(frame, 1))?;
        }
        self.frames.give_back(frame)
    }

    /// Makes `count` frames from `first` on valid in the linear map.
    ///
    /// It has a section of its own, because its caller uses the frames at once, whatever section is
    /// open. The pair at its end is all the synchronization: the entries were invalid, and invalid
    /// entries are in no TLB.
    #[inline(never)] // As `apply_to_page_range`.
    #[lazy_mmu(backend = M::Backend, mmu)]
    fn map_linear(&mut self, first: Frame, count: usize) -> Result<(), Error> {
        let range = PageRange::linear(first, count);
        self.for_each_entry(range, |_, slot, page| {
            mmu.write(slot, first.add(page).kernel_page());
            Ok(())
        })
    }
}
