//! Ranges whose frames are allocated during the walk, as KASAN in Linux fills its shadow.
//!
//! The walk calls the allocator inside its section. With DEBUG_PAGEALLOC, the allocator opens a
//! nested section.

use lazy_mmu::lazy_mmu;

use crate::format::Leaf;
use crate::machine::Machine;
use crate::mm::MemoryManager;
use crate::page::{Error, Frame, PageRange};

/// The number of frames that one call of the allocator returns.
pub const RESERVE: usize = 8;

impl<M: Machine> MemoryManager<'_, M> {
    /// Maps each page of `range`, for the kernel, to a newly allocated frame.
    ///
    /// # Errors
    ///
    /// * [`Error::AlreadyMapped`] if a page of the range is mapped.
    /// * [`Error::OutOfFrames`] if the frames do not suffice. It has the number of mapped pages.
    pub fn populate_range(&mut self, range: PageRange) -> Result<(), Error> {
        self.populate(range, Frame::kernel_page)
    }

    /// Maps each page of `range`, with user attributes, to a newly allocated frame.
    ///
    /// The entries do not need the barrier pair. Without it, a user's access may fault, and the
    /// kernel repeats the access.
    ///
    /// # Errors
    ///
    /// The errors of [`populate_range`](Self::populate_range).
    pub fn populate_user_range(&mut self, range: PageRange) -> Result<(), Error> {
        self.populate(range, Frame::user_page)
    }

    #[inline(never)] // The reason is that of `apply_to_page_range`.
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
