//! The tables, and the walk over a range of pages that most of the rest is built on.

use core::sync::atomic::{AtomicU64, Ordering};

use lazy_mmu::{Dynamic, LazyMmu, lazy_mmu};

use crate::frames::{Frames, MemoryMap, Use};
use crate::machine::Machine;
use crate::page::{ENTRIES, Error, Frame, LEAF_LEVEL, PageRange, index};

/// A section that a function of the memory manager has open.
pub type Section<'id, M> = LazyMmu<'id, Dynamic, <M as Machine>::Backend>;

/// What a walk does where a table is missing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Missing {
    /// Allocates and links one.
    Create,
    /// Ends with [`Error::NotMapped`].
    Refuse,
}

/// The memory manager of one machine: its frames, and the tables of its kernel.
#[derive(Debug)]
pub struct MemoryManager<'m, M> {
    pub(crate) machine: M,
    pub(crate) frames: Frames<'m>,
    pub(crate) debug_pagealloc: bool,
    root: Frame,
}

impl<'m, M: Machine> MemoryManager<'m, M> {
    /// Builds the linear map of all frames in `map`, page by page, and activates it.
    ///
    /// With `debug_pagealloc` only the frames that are in use are mapped, which are the tables built here.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfFrames`] if the memory has no room for the tables.
    pub fn boot(machine: M, map: MemoryMap<'m>, debug_pagealloc: bool) -> Result<Self, Error> {
        let mut frames = Frames::new(map);
        let mut table = || {
            let frame = frames.take(1).ok_or(Error::OutOfFrames { done: 0 })?;
            for entry in machine.table(frame) {
                entry.store(0, Ordering::Relaxed);
            }
            frames.set_use(frame, Use::Table)?;
            Ok::<_, Error>(frame)
        };
        // No walker sees these tables before `activate`, so the stores need neither section nor barrier.
        let root = table()?;
        let range = PageRange::linear(map.base(), map.frames());
        for address in range.addresses() {
            let mut parent = root;
            for level in 0..LEAF_LEVEL {
                let entry = &machine.table(parent)[index(address, level)];
                parent = match Frame::of_descriptor(entry.load(Ordering::Relaxed)) {
                    Some(child) => child,
                    None => {
                        let child = table()?;
                        entry.store(child.table().0, Ordering::Relaxed);
                        child
                    }
                };
            }
        }
        let mm = Self {
            machine,
            frames,
            debug_pagealloc,
            root,
        };
        for (number, address) in range.addresses().enumerate() {
            let frame = map.base().add(number);
            if !debug_pagealloc || mm.frames.is_allocated(frame) {
                let entry = mm
                    .leaf(address)
                    .map(|(table, index)| &machine.table(table)[index]);
                let entry = entry.ok_or(Error::NotMapped { address })?;
                entry.store(frame.kernel_page().0, Ordering::Relaxed);
            }
        }
        mm.machine.activate(mm.root);
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

    /// Calls `f` for the entry of each page in `range`, in a section of its own.
    ///
    /// `f` gets the section, the entry and the page's virtual address. It may store through the section, and
    /// it may call whatever opens sections of its own. After an error, from `f` too, the pages before it stay as
    /// `f` left them.
    ///
    /// # Errors
    ///
    /// [`Error::NotMapped`] or [`Error::OutOfFrames`], as `missing` says, if there is no table for a page; and what `f`
    /// returns.
    #[inline(never)] // Or the size of the text tells what the inliner has chosen.
    #[lazy_mmu(backend = M::Backend, mmu)]
    pub fn apply_to_page_range(
        &mut self,
        range: PageRange,
        missing: Missing,
        f: impl FnMut(&mut Self, &mut Section<'_, M>, &AtomicU64, u64) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.walk(mmu, range, missing, f)
    }

    /// [`apply_to_page_range`](Self::apply_to_page_range) in the caller's section: stores are deferred to its leave.
    pub(crate) fn walk(
        &mut self,
        mmu: &mut Section<'_, M>,
        range: PageRange,
        missing: Missing,
        mut f: impl FnMut(&mut Self, &mut Section<'_, M>, &AtomicU64, u64) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let machine = self.machine;
        let mut done = 0;
        while done < range.pages() {
            let (table, chunk) = self
                .leaf_table(mmu, range, done, missing)
                .map_err(|error| error.after(done))?;
            let first = index(chunk.start(), LEAF_LEVEL);
            for (slot, address) in machine.table(table)[first..].iter().zip(chunk.addresses()) {
                f(self, mmu, slot, address)?;
            }
            done += chunk.pages();
        }
        Ok(())
    }

    /// The table that holds the entries from page `done` of `range` on, and the part of the range that it holds.
    pub(crate) fn leaf_table(
        &mut self,
        mmu: &mut Section<'_, M>,
        range: PageRange,
        done: usize,
        missing: Missing,
    ) -> Result<(Frame, PageRange), Error> {
        let machine = self.machine;
        let address = range.page(done);
        let mut table = self.root;
        for level in 0..LEAF_LEVEL {
            let slot = &machine.table(table)[index(address, level)];
            table = match Frame::of_descriptor(mmu.read(slot)) {
                Some(child) => child,
                None if missing == Missing::Refuse => return Err(Error::NotMapped { address }),
                None => self.link_table(mmu, slot, level)?,
            };
        }
        let chunk = range.part(done, ENTRIES - index(address, LEAF_LEVEL));
        Ok((table, chunk))
    }

    /// Allocates a table and links it into `slot`, an entry of a table at `level`.
    #[inline(never)] // As `apply_to_page_range`.
    fn link_table(
        &mut self,
        mmu: &mut Section<'_, M>,
        slot: &AtomicU64,
        level: usize,
    ) -> Result<Frame, Error> {
        // With DEBUG_PAGEALLOC this maps the frame in the linear map, in a nested section; the next line writes to it.
        let child = self.allocate(1)?;
        self.machine.zero(child)?;
        self.frames.set_use(child, Use::Table)?;
        // The store of the link is ordered after the zeros.
        if level == 0 {
            mmu.write(slot, child.top_level());
        } else {
            mmu.write(slot, child.table());
        }
        Ok(child)
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
        match range.addresses().find(|&it| self.mapped(it).is_some()) {
            Some(address) => Err(Error::AlreadyMapped { address }),
            None => Ok(()),
        }
    }

    /// Checks that all pages of `range` are mapped.
    pub(crate) fn check_mapped(&self, range: PageRange) -> Result<(), Error> {
        match range.addresses().find(|&it| self.mapped(it).is_none()) {
            Some(address) => Err(Error::NotMapped { address }),
            None => Ok(()),
        }
    }

    /// Builds the tables for `range`, so that mapping it later stores page descriptors only.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfFrames`]; tables that were built stay.
    pub fn build_tables(&mut self, range: PageRange) -> Result<(), Error> {
        self.apply_to_page_range(range, Missing::Create, |_, _, _, _| Ok(()))
    }
}

/// How many frames [`MemoryManager::boot`] takes at most for the tables of a memory of `frames` frames.
pub const fn boot_tables(frames: usize) -> usize {
    // Where the memory does not begin or end at a table's boundary, one table more at either end. One for each of the
    // top two levels: no memory here crosses a boundary of 512 GiB.
    1 + 1 + (frames / (ENTRIES * ENTRIES) + 2) + (frames / ENTRIES + 2)
}
