//! Kernel mappings of given frames at given addresses, as vmalloc makes them.

use lazy_mmu::{Dynamic, LazyMmu, Pending, try_visible};

use crate::machine::{Fault, Machine};
use crate::mm::MemoryManager;
use crate::page::{Error, Frame, PageRange};

/// A range that is mapped and visible: whoever has it may access the range's memory.
///
/// While the mapping's barrier pair is deferred, only a [`Pending`] one is to be had.
#[derive(Debug)]
pub struct Mapping {
    range: PageRange,
}

impl Mapping {
    /// Where it is mapped.
    pub fn range(&self) -> PageRange {
        self.range
    }

    /// Reads word number `word` (of 64 bits) of the range.
    ///
    /// # Errors
    ///
    /// The fault that the access took; past the end of the range there need be no mapping.
    pub fn read(&self, machine: impl Machine, word: usize) -> Result<u64, Fault> {
        machine.read(self.word(word))
    }

    /// Writes word number `word` (of 64 bits) of the range.
    ///
    /// # Errors
    ///
    /// As for [`read`](Self::read).
    pub fn write(&self, machine: impl Machine, word: usize, value: u64) -> Result<(), Fault> {
        machine.write(self.word(word), value)
    }

    fn word(&self, word: usize) -> u64 {
        self.range.start() + 8 * word as u64
    }
}

impl<M: Machine> MemoryManager<'_, M> {
    /// Maps the pages of `range` to `frames`, one each, for the kernel, and returns when they can be used.
    ///
    /// One section, and so one barrier pair, however many pages it has.
    ///
    /// # Errors
    ///
    /// As for [`vmap_pages_range`](Self::vmap_pages_range).
    #[inline(never)] // As `apply_to_page_range`.
    pub fn vmap(&mut self, range: PageRange, frames: &[Frame]) -> Result<Mapping, Error> {
        try_visible(|mmu| self.vmap_pages_range(mmu, range, frames))
    }

    /// Maps the pages of `range` to `frames`, one each, for the kernel, in the caller's section: the mapping cannot be
    /// used before that is flushed or left.
    ///
    /// # Errors
    ///
    /// [`Error::WrongCount`], [`Error::AlreadyMapped`]; and [`Error::OutOfFrames`] if there is none for a table, which
    /// says how far it came.
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

    /// Unmaps the pages of `range`, and removes them from the TLBs. The frames stay allocated; a [`Mapping`] of the range
    /// faults from now on.
    ///
    /// # Errors
    ///
    /// [`Error::NotMapped`].
    pub fn vunmap_range(&mut self, range: PageRange) -> Result<(), Error> {
        self.check_mapped(range)?;
        self.unmap_range(range)
    }
}
