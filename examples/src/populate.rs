//! Mapping a kernel range to frames that are allocated on the way, as KASAN fills its shadow.
//!
//! The allocator is called inside the walk's section: with DEBUG_PAGEALLOC its own section nests.

use lazy_mmu::aarch64::descriptor::Leaf;
use lazy_mmu::lazy_mmu;

use crate::machine::Machine;
use crate::mm::MemoryManager;
use crate::page::{Error, Frame, PageRange};

/// How many frames one call of the allocator fetches.
pub const RESERVE: usize = 8;

impl<M: Machine> MemoryManager<'_, M> {
    /// Maps each page of `range`, for the kernel, to a frame of its own from the allocator.
    ///
    /// # Errors
    ///
    /// [`Error::AlreadyMapped`]; and [`Error::OutOfFrames`], which says how far it came.
    pub fn populate_range(&mut self, range: PageRange) -> Result<(), Error> {
        self.populate(range, Frame::kernel_page)
    }

    /// The same with a user's pages, whose entries need no barrier pair: a fault that a user takes for want of it
    /// is spurious.
    ///
    /// # Errors
    ///
    /// As for [`populate_range`](Self::populate_range).
    pub fn populate_user_range(&mut self, range: PageRange) -> Result<(), Error> {
        self.populate(range, Frame::user_page)
    }

    #[inline(never)] // As `apply_to_page_range`.
    #[lazy_mmu(backend = M::Backend, mmu)]
    fn populate(&mut self, range: PageRange, leaf: fn(Frame) -> Leaf) -> Result<(), Error> {
        self.check_unmapped(range)?;
        for done in (0..range.pages()).step_by(RESERVE) {
            let part = range.part(done, RESERVE);
            let first = self
                .allocate(part.pages())
                .map_err(|error| error.after(done))?;
            let mut mapped = 0;
            let result = self.apply_to_page_range(mmu, part, |mmu, slot, _| {
                mmu.write(slot, leaf(first.add(mapped)));
                mapped += 1;
            });
            if let Err(error) = result {
                for page in mapped..part.pages() {
                    self.release(first.add(page))?;
                }
                return Err(error.after(done + mapped));
            }
        }
        Ok(())
    }
}
