//! Tearing mappings down: clear the entries and gather the frames, forget the translations, free the frames.
//!
//! A frame may be reused only when no TLB knows it, so the frames are gathered, in batches. The first few are held
//! on the stack; for each further batch a page is taken from the allocator *inside* the section of the walk, and
//! written at once. With DEBUG_PAGEALLOC the allocator has just mapped that page in a nested section, whose leave must
//! have made it visible though the outer section is still open. The functions are named for those of Linux
//! (`mm/memory.c`, `mm/mmu_gather.c`).

use lazy_mmu::aarch64::descriptor::Leaf;
use lazy_mmu::lazy_mmu;

use crate::machine::{Fault, Machine};
use crate::mm::{MemoryManager, Missing};
use crate::page::{Error, Frame, LEAF_LEVEL, PageRange, index};

/// How many frames are gathered on the stack.
pub const BUNDLE: usize = 8;
/// How many frames a batch page holds. It has room for 510; with fewer, small runs show several batches.
pub const BATCH: usize = 64;

/// The frames whose mappings have been cleared.
struct Gather {
    bundle: [Frame; BUNDLE],
    bundled: usize,
    /// The latest batch page and how many frames it holds. Its word 0 is the address of the batch page before it (0:
    /// none), word 1 the number of frames in *that* one, and the frames follow.
    batch: Option<(Frame, usize)>,
}

/// The virtual address of word `number` of a batch page.
fn word(batch: Frame, number: usize) -> u64 {
    batch.linear() + 8 * number as u64
}

impl Gather {
    fn new() -> Self {
        Self {
            bundle: [Frame::containing(0); BUNDLE],
            bundled: 0,
            batch: None,
        }
    }

    fn is_full(&self) -> bool {
        match self.batch {
            None => self.bundled == BUNDLE,
            Some((_, held)) => held == BATCH,
        }
    }

    /// Adds `frame`; there must be room.
    fn push<M: Machine>(&mut self, machine: M, frame: Frame) -> Result<(), Fault> {
        match &mut self.batch {
            None => {
                self.bundle[self.bundled] = frame;
                self.bundled += 1;
            }
            Some((batch, held)) => {
                machine.write(word(*batch, 2 + *held), frame.address())?;
                *held += 1;
            }
        }
        Ok(())
    }
}

impl<M: Machine> MemoryManager<'_, M> {
    /// Unmaps each page of `range`, and gives the frames that they were mapped to back.
    ///
    /// # Errors
    ///
    /// [`Error::NotMapped`].
    pub fn zap_range(&mut self, range: PageRange) -> Result<(), Error> {
        self.check_mapped(range)?;
        let mut done = 0;
        while done < range.pages() {
            let mut gather = Gather::new();
            let zapped = self.zap_pte_range(range.part(done, usize::MAX), &mut gather)?;
            lazy_mmu::flush_tlb_kernel_range::<M::Backend>(range.part(done, zapped).into());
            self.free_gathered(&gather)?;
            done += zapped;
        }
        Ok(())
    }

    /// Clears the entries of `range` until the gather is full and no page can be had for its next batch; returns how
    /// many.
    #[lazy_mmu(backend = M::Backend, mmu)]
    fn zap_pte_range(&mut self, range: PageRange, gather: &mut Gather) -> Result<usize, Error> {
        let machine = self.machine;
        let mut done = 0;
        while done < range.pages() {
            let (table, chunk) = self.leaf_table(mmu, range, done, Missing::Refuse)?;
            let first = index(chunk.start(), LEAF_LEVEL);
            for (slot, address) in machine.table(table)[first..].iter().zip(chunk.addresses()) {
                if gather.is_full() && !self.next_batch(gather)? {
                    return Ok(done);
                }
                let frame = Frame::of_descriptor(mmu.read(slot));
                mmu.write(slot, Leaf::INVALID);
                gather.push(machine, frame.ok_or(Error::NotMapped { address })?)?;
                done += 1;
            }
        }
        Ok(done)
    }

    /// Takes a page for the gather's next batch; false if there is none.
    fn next_batch(&mut self, gather: &mut Gather) -> Result<bool, Error> {
        let batch = match self.allocate(1) {
            Ok(batch) => batch,
            Err(Error::OutOfFrames { .. }) => return Ok(false),
            Err(error) => return Err(error),
        };
        // The caller's section is open; the page must be accessible all the same.
        let (previous, held) = match gather.batch {
            Some((previous, held)) => (previous.address(), held),
            None => (0, 0),
        };
        self.machine.write(word(batch, 0), previous)?;
        self.machine.write(word(batch, 1), held as u64)?;
        gather.batch = Some((batch, 0));
        Ok(true)
    }

    /// Frees the frames, and the batch pages.
    fn free_gathered(&mut self, gather: &Gather) -> Result<(), Error> {
        for &frame in &gather.bundle[..gather.bundled] {
            self.release(frame)?;
        }
        let mut next = gather.batch;
        while let Some((batch, held)) = next {
            for number in 0..held {
                let address = self.machine.read(word(batch, 2 + number))?;
                self.release(Frame::containing(address))?;
            }
            let previous = self.machine.read(word(batch, 0))?;
            let held = self.machine.read(word(batch, 1))?;
            self.release(batch)?;
            next = (previous != 0).then(|| {
                // No batch holds more than BATCH.
                (
                    Frame::containing(previous),
                    usize::try_from(held).unwrap_or(BATCH),
                )
            });
        }
        Ok(())
    }
}
