//! Kernel mappings of given frames at given addresses, as in Linux's vmalloc.

use lazy_mmu::{Dynamic, LazyMmu, Pending, try_visible};

use crate::machine::{Fault, Machine};
use crate::mm::MemoryManager;
use crate::page::{Error, Frame, PageRange};

/// A range that is mapped and visible, so that its owner can access the memory.
///
/// While the barrier pair of the mapping is deferred, the mapping is locked in a [`Pending`].
#[derive(Debug)]
pub struct Mapping {
    range: PageRange,
}

impl Mapping {
    /// Returns the range of virtual addresses.
    pub fn range(&self) -> PageRange {
        self.range
    }

    /// Reads the 64-bit word number `word` of the range.
    ///
    /// # Errors
    ///
    /// The fault of the access. An access after the end of the range may fault.
    pub fn read(&self, machine: impl Machine, word: usize) -> Result<u64, Fault> {
        machine.read(self.word(word))
    }

    /// Writes the 64-bit word number `word` of the range.
    ///
    /// # Errors
    ///
    /// The fault of the access, as for [`read`](Self::read).
    pub fn write(&self, machine: impl Machine, word: usize, value: u64) -> Result<(), Fault> {
        machine.write(self.word(word), value)
    }

    fn word(&self, word: usize) -> u64 {
        self.range.start() + 8 * word as u64
    }
}

impl<M: Machine> MemoryManager<'_, M> {
    /// Maps each page of `range` to one of `frames`, and returns the mapping ready for use.
    ///
    /// The function opens a section, so it executes one barrier pair for all pages.
    ///
    /// # Errors
    ///
    /// The errors of [`vmap_pages_range`](Self::vmap_pages_range).
    #[inline(never)] // The reason is that of `apply_to_page_range`.
    pub fn vmap(&mut self, range: PageRange, frames: &[Frame]) -> Result<Mapping, Error> {
        try_visible(|mmu| self.vmap_pages_range(mmu, range, frames))
    }

    /// Maps each page of `range` to one of `frames`, in the caller's section.
    ///
    /// The mapping is locked until the caller flushes or leaves its section.
    ///
    /// # Errors
    ///
    /// * [`Error::WrongCount`] if the range does not have `frames.len()` pages.
    /// * [`Error::AlreadyMapped`] if a page of the range is mapped.
    /// * [`Error::OutOfFrames`] if there is not a free frame for a table. The error has the number
    ///   of mapped pages.
    pub fn vmap_pages_range<'id>(
        &mut self,
        mmu: &mut LazyMmu<'id, Dynamic, M::Backend>,
        range: PageRange,
        frames: &[Frame],
    ) -> Result<Pending<'id, Mapping, M::Backend>, Error> {
        if range.pages() != frames.len() {
            return Err(Error::WrongCount {
                pages: range.pages(),
                frames: frames.len(),
            });
        }
        self.check_unmapped(range)?;
        self.apply_to_page_range(mmu, range, |mmu, slot, page| {
            mmu.write(slot, frames[page].kernel_page());
        })?;
        Ok(mmu.pending(Mapping { range }))
    }

    /// Unmaps the pages of `range`, and removes them from the TLBs.
    ///
    /// The frames stay allocated. Later accesses through a [`Mapping`] of the range fault.
    ///
    /// # Errors
    ///
    /// [`Error::NotMapped`] if a page of the range is not mapped.
    pub fn vunmap_range(&mut self, range: PageRange) -> Result<(), Error> {
        self.check_mapped(range)?;
        self.unmap_range(range)
    }
}
