//! The tables, and the walk over a range of pages, which most other modules use.

use core::sync::atomic::{AtomicU64, Ordering};

use lazy_mmu::{Backend, Dynamic, LazyMmu, NoWalker, Unreached, lazy_mmu, with};

use crate::format::Leaf;
use crate::frames::{Frames, MemoryMap, Use};
use crate::machine::Machine;
use crate::page::{ENTRIES, Error, Frame, LEAF_LEVEL, PageRange, index};

/// The memory manager of one machine. It owns the frames and the kernel's tables.
#[derive(Debug)]
pub struct MemoryManager<'m, M> {
    pub(crate) machine: M,
    pub(crate) frames: Frames<'m>,
    pub(crate) debug_pagealloc: bool,
    root: Frame,
}

/// The tables that [`MemoryManager::boot`] builds.
struct FirstTables;

// SAFETY: a walker does not reach the tables before `activate`, which orders all earlier stores
// before the first walk.
unsafe impl NoWalker for FirstTables {}

impl<'m, M: Machine> MemoryManager<'m, M> {
    /// Builds the linear map of all frames in `map`, page by page, and activates it.
    ///
    /// With `debug_pagealloc`, it maps only the frames in use. These are the tables that it builds.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfFrames`] if there are not enough frames for the tables.
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

    /// Returns the machine.
    pub fn machine(&self) -> M {
        self.machine
    }

    /// Returns the frame allocator.
    pub fn frames(&self) -> &Frames<'m> {
        &self.frames
    }

    /// Lets the next allocation search from the first frame ([`Frames::rewind`]).
    pub fn rewind(&mut self) {
        self.frames.rewind();
    }

    /// Calls `f` for the entry of each page in `range`, in the caller's section.
    ///
    /// The arguments of `f` are the section, the entry, and the number of the page in the range.
    /// The walk allocates and links missing tables.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfFrames`] if there is not a free frame for a table. The changes of `f` to the
    /// pages before it stay.
    #[inline(never)] // Because the measured size of the text must not depend on the inliner.
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
            for level in machine.root_level()..LEAF_LEVEL {
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

    /// Calls `f` for the entry of each page in `range`. All pages must have tables.
    ///
    /// `f` may call functions that open sections.
    ///
    /// # Errors
    ///
    /// [`Error::NotMapped`] if a page does not have a table, and the errors of `f`. The changes of
    /// `f` to the pages before it stay.
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
    #[inline(never)] // The reason is that of `apply_to_page_range`.
    fn link_table<B: Backend>(
        &mut self,
        mmu: &mut LazyMmu<'_, Dynamic, B>,
        slot: &AtomicU64,
        level: usize,
    ) -> Result<Frame, Error> {
        let child = self.new_table()?;
        // The write of a table descriptor orders the link after the zeros.
        if level == 0 {
            mmu.write(slot, child.top_level());
        } else {
            mmu.write(slot, child.table());
        }
        Ok(child)
    }

    /// Allocates a table and fills it with zeros, but does not link it.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfFrames`] if there is not a free frame.
    pub fn new_table(&mut self) -> Result<Frame, Error> {
        // With DEBUG_PAGEALLOC, `allocate` maps the frame in the linear map, in a section that is
        // nested in the walk's. `zero` uses that mapping at once.
        let table = self.allocate(1)?;
        self.machine.zero(table)?;
        self.frames.set_use(table, Use::Table)?;
        Ok(table)
    }

    /// Returns the leaf entry for `address`, as its table and index, if the table exists.
    pub fn leaf(&self, address: u64) -> Option<(Frame, usize)> {
        self.entry(address, LEAF_LEVEL)
    }

    /// Returns the entry at `level` for `address`, as its table and index, if the table exists.
    pub fn entry(&self, address: u64, level: usize) -> Option<(Frame, usize)> {
        let mut table = self.root;
        for above in self.machine.root_level()..level {
            let entry = self.machine.table(table)[index(address, above)].load(Ordering::Relaxed);
            table = Frame::of_descriptor(entry)?;
        }
        Some((table, index(address, level)))
    }

    /// Returns the frame to which the tables map the page at `address`.
    ///
    /// The MMU may not see this entry yet.
    pub fn mapped(&self, address: u64) -> Option<Frame> {
        let (table, index) = self.leaf(address)?;
        Frame::of_descriptor(self.machine.table(table)[index].load(Ordering::Relaxed))
    }

    /// Checks that all pages of `range` are unmapped.
    pub(crate) fn check_unmapped(&self, range: PageRange) -> Result<(), Error> {
        let first = range.addresses().find(|&it| self.mapped(it).is_some());
        first.map_or(Ok(()), |address| Err(Error::AlreadyMapped { address }))
    }

    /// Checks that all pages of `range` are mapped.
    pub(crate) fn check_mapped(&self, range: PageRange) -> Result<(), Error> {
        let first = range.addresses().find(|&it| self.mapped(it).is_none());
        first.map_or(Ok(()), |address| Err(Error::NotMapped { address }))
    }

    /// Builds the tables for `range`, so that a later mapping stores only page descriptors.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfFrames`] if there are not enough frames. The tables that were built stay.
    #[lazy_mmu(backend = M::Backend, mmu, join)]
    pub fn build_tables(&mut self, range: PageRange) -> Result<(), Error> {
        self.apply_to_page_range(mmu, range, |_, _, _| ())
    }

    /// Clears the entries of `range`, and removes its pages from the TLBs.
    ///
    /// The function does not open a section, because cleared entries do not need the barrier pair.
    #[inline(never)] // The reason is that of `apply_to_page_range`.
    pub(crate) fn unmap_range(&mut self, range: PageRange) -> Result<(), Error> {
        self.for_each_entry(range, |_, slot, _| {
            lazy_mmu::write::<M::Backend, _>(slot, Leaf::INVALID);
            Ok(())
        })?;
        lazy_mmu::flush_tlb_kernel_range::<M::Backend>(range.into());
        Ok(())
    }
}

/// Returns the most frames that [`MemoryManager::boot`] takes for the tables of `frames` frames.
pub const fn boot_tables(frames: usize) -> usize {
    // The top two levels have one table each, because the memory here does not cross a boundary of
    // 512 GiB. The other levels have one more table at each end, because the memory need not begin
    // and end at the boundary of a table.
    1 + 1 + (frames / (ENTRIES * ENTRIES) + 2) + (frames / ENTRIES + 2)
}
