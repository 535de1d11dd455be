//! Allocating and freeing frames, and what DEBUG_PAGEALLOC does with them: a free frame is not in the linear map, so
//! that a stray access to it faults.
//!
//! This is where sections nest by themselves: who allocates inside a section of its own knows nothing of the linear map.

use lazy_mmu::aarch64::descriptor::Leaf;

use crate::machine::Machine;
use crate::mm::{MemoryManager, Missing};
use crate::page::{Error, Frame, PageRange};

impl<M: Machine> MemoryManager<'_, M> {
    /// Allocates `count` frames in a row; returns the first. They can be accessed through the linear map at once.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfFrames`] if there are not so many free in a row; nothing was changed.
    pub fn allocate(&mut self, count: usize) -> Result<Frame, Error> {
        let first = self
            .frames
            .take(count)
            .ok_or(Error::OutOfFrames { done: 0 })?;
        if self.debug_pagealloc {
            self.set_linear(first, count, true)?;
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
            self.set_linear(frame, 1, false)?;
        }
        self.frames.give_back(frame)
    }

    /// Makes `count` frames from `first` on valid or invalid in the linear map.
    ///
    /// Valid: the pair at the end of this section is all the synchronisation there is, for the entry was invalid, and
    /// invalid entries are in no TLB. Invalid: the TLBs forget the page.
    #[inline(never)] // As `apply_to_page_range`.
    fn set_linear(&mut self, first: Frame, count: usize, valid: bool) -> Result<(), Error> {
        let range = PageRange::linear(first, count);
        let mut frame = first;
        self.apply_to_page_range(range, Missing::Refuse, |_, mmu, slot, _| {
            let leaf = if valid {
                frame.kernel_page()
            } else {
                Leaf::INVALID
            };
            mmu.write(slot, leaf);
            frame = frame.add(1);
            Ok(())
        })?;
        if !valid {
            lazy_mmu::flush_tlb_kernel_range::<M::Backend>(range.into());
        }
        Ok(())
    }
}
