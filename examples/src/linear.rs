//! Allocation and release of frames.
//!
//! With DEBUG_PAGEALLOC, a free frame is not in the linear map, so a stray access to it faults.
//!
//! Sections nest here. A caller that allocates inside its own section does not know that the
//! allocator changes the linear map. A release does not open a section, because it only clears
//! entries.

use lazy_mmu::lazy_mmu;

use crate::machine::Machine;
use crate::mm::MemoryManager;
use crate::page::{Error, Frame, PageRange};

impl<M: Machine> MemoryManager<'_, M> {
    /// Allocates `count` consecutive frames, and returns the first of them.
    ///
    /// The caller can access the frames through the linear map at once.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfFrames`] if there are not enough consecutive free frames. In this case the
    /// function has not changed anything.
    #[inline(never)] // The reason is that of `apply_to_page_range`.
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

    /// Frees `frame`. With DEBUG_PAGEALLOC, later accesses to it through the linear map fault.
    ///
    /// # Errors
    ///
    /// [`Error::NotAllocated`] if the frame is not allocated.
    pub fn release(&mut self, frame: Frame) -> Result<(), Error> {
        if !self.frames.is_allocated(frame) {
            return Err(Error::NotAllocated { frame });
        }
        if self.debug_pagealloc {
            self.unmap_range(PageRange::linear(frame, 1))?;
        }
        self.frames.give_back(frame)
    }

    /// Maps `count` frames, of which `first` is the first, in the linear map.
    ///
    /// The function opens its own section, because its caller uses the frames at once, even inside
    /// another section. Its barrier pair is sufficient. The entries were invalid, and a TLB does
    /// not hold invalid entries.
    #[inline(never)] // The reason is that of `apply_to_page_range`.
    #[lazy_mmu(backend = M::Backend, mmu)]
    fn map_linear(&mut self, first: Frame, count: usize) -> Result<(), Error> {
        let range = PageRange::linear(first, count);
        self.for_each_entry(range, |_, slot, page| {
            mmu.write(slot, first.add(page).kernel_page());
            Ok(())
        })
    }
}
