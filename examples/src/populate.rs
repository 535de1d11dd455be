//! Mapping a kernel range to frames that are allocated on the way, as KASAN fills its shadow.
//!
//! The allocator is called inside the walk's section: with DEBUG_PAGEALLOC its own section nests.

use core::sync::atomic::AtomicU64;

use lazy_mmu::aarch64::descriptor::Leaf;

use crate::machine::Machine;
use crate::mm::{MemoryManager, Missing, Section};
use crate::page::{Error, Frame, PageRange};

/// How many frames one call of the allocator fetches: every so many entries one really allocates.
pub const RESERVE: usize = 8;

/// Frames fetched in advance.
struct Reserve {
    next: Frame,
    left: usize,
}

/// Which kind of page a range is filled with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Owner {
    Kernel,
    User,
}

impl<M: Machine> MemoryManager<'_, M> {
    /// Maps each page of `range`, for the kernel, to a frame of its own from the allocator.
    ///
    /// # Errors
    ///
    /// [`Error::AlreadyMapped`]; and [`Error::OutOfFrames`], which says how far it came.
    pub fn populate_range(&mut self, range: PageRange) -> Result<(), Error> {
        self.populate(range, Owner::Kernel)
    }

    /// The same with a user's pages, whose entries need no barrier pair: a fault that a user takes for want of it
    /// is spurious.
    ///
    /// # Errors
    ///
    /// As for [`populate_range`](Self::populate_range).
    pub fn populate_user_range(&mut self, range: PageRange) -> Result<(), Error> {
        self.populate(range, Owner::User)
    }

    fn populate(&mut self, range: PageRange, owner: Owner) -> Result<(), Error> {
        self.check_unmapped(range)?;
        let mut reserve = Reserve {
            next: Frame::containing(0),
            left: 0,
        };
        let mut done = 0;
        let result = self.apply_to_page_range(range, Missing::Create, |mm, mmu, slot, _| {
            mm.populate_page(mmu, slot, &mut reserve, range.pages() - done, owner)?;
            done += 1;
            Ok(())
        });
        // What the reserve still has after an error goes back.
        for frame in (0..reserve.left).map(|i| reserve.next.add(i)) {
            self.release(frame)?;
        }
        result.map_err(|error| error.after(done))
    }

    fn populate_page(
        &mut self,
        mmu: &mut Section<'_, M>,
        slot: &AtomicU64,
        reserve: &mut Reserve,
        pages_left: usize,
        owner: Owner,
    ) -> Result<(), Error> {
        if reserve.left == 0 {
            let count = RESERVE.min(pages_left);
            reserve.next = self.allocate(count)?;
            reserve.left = count;
        }
        let frame = reserve.next;
        reserve.next = frame.add(1);
        reserve.left -= 1;
        let leaf: Leaf = match owner {
            Owner::Kernel => frame.kernel_page(),
            Owner::User => frame.user_page(),
        };
        mmu.write(slot, leaf);
        Ok(())
    }
}
