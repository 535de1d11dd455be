//! Kernel mappings of given frames at given addresses, as vmalloc makes them.

use lazy_mmu::descriptor::Leaf;

use crate::machine::Machine;
use crate::mm::{MemoryManager, Missing};
use crate::page::{Error, Frame, PageRange};

impl<M: Machine> MemoryManager<'_, M> {
    /// Maps the pages of `range` to `frames`, one each, for the kernel.
    ///
    /// One section, and so one barrier pair, however many pages it has.
    ///
    /// # Errors
    ///
    /// [`Error::WrongCount`], [`Error::AlreadyMapped`]; and [`Error::OutOfFrames`] if there is none for a table, which
    /// says how far it came.
    pub fn vmap_pages_range(&mut self, range: PageRange, frames: &[Frame]) -> Result<(), Error> {
        if range.pages() != frames.len() {
            return Err(Error::WrongCount {
                pages: range.pages(),
                frames: frames.len(),
            });
        }
        self.check_unmapped(range)?;
        let mut frames = frames.iter();
        self.apply_to_page_range(range, Missing::Create, |_, mmu, slot, _| {
            if let Some(frame) = frames.next() {
                mmu.write(slot, frame.kernel_page());
            }
            Ok(())
        })
    }

    /// Unmaps the pages of `range`, and removes them from the TLBs. The frames stay allocated.
    ///
    /// # Errors
    ///
    /// [`Error::NotMapped`].
    pub fn vunmap_range(&mut self, range: PageRange) -> Result<(), Error> {
        self.check_mapped(range)?;
        self.apply_to_page_range(range, Missing::Refuse, |_, mmu, slot, _| {
            mmu.write(slot, Leaf::INVALID);
            Ok(())
        })?;
        self.machine.invalidate(range);
        Ok(())
    }
}
