//! The tables, and the walk over a range of pages that most of the rest is built on.

use core::sync::atomic::{AtomicU64, Ordering};

use lazy_mmu::aarch64::descriptor::Leaf;
use lazy_mmu::{Backend, Dynamic, LazyMmu, NoWalker, Unreached, lazy_mmu, with};

use crate::frames::{Frames, MemoryMap, Use};
use crate::machine::Machine;
use crate::page::{ENTRIES, Error, Frame, LEAF_LEVEL, PageRange, index};

/// The memory manager of one machine: its frames, and the tables of its kernel.
#[derive(Debug)]
pub struct MemoryManager<'m, M> {
    pub(crate) machine: M,
    pub(crate) frames: Frames<'m>,
    pub(crate) debug_pagealloc: bool,
    root: Frame,
}

/// The tables that `boot` builds.
struct FirstTables;

// SAFETY: no walker reaches them before `activate`, which orders the stores before that.
unsafe impl NoWalker for FirstTables {}

impl<'m, M: Machine> MemoryManager<'m, M> {
    /// Builds the linear map of all frames in `map`, page by page, and activates it.
    ///
    /// With `debug_pagealloc` only the frames that are in use are mapped, which are the tables built here.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfFrames`] if the memory has no room for the tables.
    pub fn boot(machine: M, map: MemoryMap<'m>, debug_pagealloc: bool) -> Result<Self, Error> {
        let mut mm = Self {
            machine,
            frames: Frames::new(map),
            debug_pagealloc: false,
            root: map.base(),
        };
        mm.root = mm.new_table()?;
        let range = PageRange::linear(map.base(), map.frames());
        with::<Unreached<FirstTables>, _>(|mmu| {
            mm.apply_to_page_range(mmu, range, |_, _, _| ())?;
            mm.for_each_entry(range, |mm, slot, page| {
                let frame = map.base().add(page);
                if !debug_pagealloc || mm.frames.is_allocated(frame) {
                    mmu.write(slot, frame.kernel_page());
                }
                Ok(())
            })
        })?;
        mm.debug_pagealloc = debug_pagealloc;
        machine.activate(mm.root);
        Ok(mm)
    }

    /// The machine.
    pub fn machine(&self) -> M {
        self.machine
    }

    /// The frame allocator's books.
    pub fn frames(&self) -> &Frames<'m> {
        &self.frames
    }

    /// Lets the next allocation search from the first frame on ([`Frames::rewind`]).
    pub fn rewind(&mut self) {
        self.frames.rewind();
    }

    /// Calls `f` for the entry of each page in `range`, in the caller's section; allocates and
    /// links the tables that are missing.
    ///
    /// `f` gets the section, the entry, and the number of the page in the range.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfFrames`] if there is no frame for a table; the pages before it stay as `f`
    /// left them.
    #[inline(never)] // Or the size of the text tells what the inliner has chosen.
    pub fn apply_to_page_range<B: Backend>(
        &mut self,
        mmu: &mut LazyMmu<'_, Dynamic, B>,
        range: PageRange,
        mut f: impl FnMut(&mut LazyMmu<'_, Dynamic, B>, &AtomicU64, usize),
    ) -> Result<(), Error> {
        let machine = self.machine;
        let mut done = 0;
        while done < range.pages() {
            let address = range.page(done);
            let mut table = self.root;
            for level in 0..LEAF_LEVEL {
                let slot = &machine.table(table)[index(address, level)];
                table = match Frame::of_descriptor(mmu.read(slot)) {
                    Some(child) => child,
                    None => self
                        .link_table(mmu, slot, level)
                        .map_err(|error| error.after(done))?,
                };
            }
            let slots = &machine.table(table)[index(address, LEAF_LEVEL)..];
            for slot in slots.iter().take(range.pages() - done) {
                f(mmu, slot, done);
                done += 1;
            }
        }
        Ok(())
    }

    /// Calls `f` for the entry of each page in `range`, all of which have tables.
    ///
    /// `f` may call functions that open sections. After an error, from `f` too, the pages before it
    /// stay as `f` left them.
    ///
    /// # Errors
    ///
    /// [`Error::NotMapped`] if there is no table for a page; and the errors of `f`.
    pub fn for_each_entry(
        &mut self,
        range: PageRange,
        mut f: impl FnMut(&mut Self, &AtomicU64, usize) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let machine = self.machine;
        for (page, address) in range.addresses().enumerate() {
            let (table, index) = self.leaf(address).ok_or(Error::NotMapped { address })?;
            f(self, &machine.table(table)[index], page)?;
        }
        Ok(())
    }

    /// Allocates a table, and links it into `slot`, an entry of a table at `level`.
    #[inline(never)] // As `apply_to_page_range`.
    fn link_table<B: Backend>(
        &mut self,
        mmu: &mut LazyMmu<'_, Dynamic, B>,
        slot: &AtomicU64,
        level: usize,
    ) -> Result<Frame, Error> {
        let child = self.new_table()?;
        // The store of the link is ordered after the zeros.
        if level == 0 {
            mmu.write(slot, child.top_level());
        } else {
            mmu.write(slot, child.table());
        }
        Ok(child)
    }

    /// Allocates a table, and fills it with zeros. It is not linked.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfFrames`].
    pub fn new_table(&mut self) -> Result<Frame, Error> {
        // With DEBUG_PAGEALLOC this maps the frame in the linear map, in a section nested in the
        // walk's. The zeros are written through that mapping at once.
        let table = self.allocate(1)?;
        self.machine.zero(table)?;
        self.frames.set_use(table, Use::Table)?;
        Ok(table)
    }

    /// The leaf entry for `address`, as its table and index, if there is a table for it.
    pub fn leaf(&self, address: u64) -> Option<(Frame, usize)> {
        self.entry(address, LEAF_LEVEL)
    }

    /// The entry at `level` on the way to `address`, as its table and index, if there is such a table.
    pub fn entry(&self, address: u64, level: usize) -> Option<(Frame, usize)> {
        let mut table = self.root;
        for above in 0..level {
            let entry = self.machine.table(table)[index(address, above)].load(Ordering::Relaxed);
            table = Frame::of_descriptor(entry)?;
        }
        Some((table, index(address, level)))
    }

    /// The frame that the page at `address` is mapped to, by the tables (not by the MMU, which may not see it yet).
    pub fn mapped(&self, address: u64) -> Option<Frame> {
        let (table, index) = self.leaf(address)?;
        Frame::of_descriptor(self.machine.table(table)[index].load(Ordering::Relaxed))
    }

    /// Checks that no page of `range` is mapped.
    pub(crate) fn check_unmapped(&self, range: PageRange) -> Result<(), Error> {
        let first = range.addresses().find(|&it| self.mapped(it).is_some());
        first.map_or(Ok(()), |address| Err(Error::AlreadyMapped { address }))
    }

    /// Checks that all pages of `range` are mapped.
    pub(crate) fn check_mapped(&self, range: PageRange) -> Result<(), Error> {
        let first = range.addresses().find(|&it| self.mapped(it).is_none());
        first.map_or(Ok(()), |address| Err(Error::NotMapped { address }))
    }

    /// Builds the tables for `range`, so that mapping it later stores page descriptors only.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfFrames`]; tables that were built stay.
    #[lazy_mmu(backend = M::Backend, mmu, join)]
    pub fn build_tables(&mut self, range: PageRange) -> Result<(), Error> {
        self.apply_to_page_range(mmu, range, |_, _, _| ())
    }

    /// Clears the entries of `range`, and removes its pages from the TLBs. It has no section:
    /// cleared entries need no pair.
    #[inline(never)] // As `apply_to_page_range`.
    pub(crate) fn unmap_range(&mut self, range: PageRange) -> Result<(), Error> {
        self.for_each_entry(range, |_, slot, _| {
            lazy_mmu::write::<M::Backend, _>(slot, Leaf::INVALID);
            Ok(())
        })?;
        lazy_mmu::flush_tlb_kernel_range::<M::Backend>(range.into());
        Ok(())
    }
}

/// How many frames [`MemoryManager::boot`] takes at most for the tables of a memory of `frames` frames.
pub const fn boot_tables(frames: usize) -> usize {
    // Where the memory does not begin or end at a table's boundary, one table more at either end. One for each of the
    // top two levels: no memory here crosses a boundary of 512 GiB.
    1 + 1 + (frames / (ENTRIES * ENTRIES) + 2) + (frames / ENTRIES + 2)
}
