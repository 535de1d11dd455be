//! The `virt` board as the machine of the memory manager.

use core::marker::PhantomData;
use core::ptr::with_exposed_provenance;
use core::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};

use lazy_mmu::{Backend, VirtualRange};
use lazy_mmu_examples::format;
use lazy_mmu_examples::frames::MemoryMap;
use lazy_mmu_examples::machine::{Fault, Machine, Table};
use lazy_mmu_examples::page::LINEAR_BASE;
use lazy_mmu_examples::scenario::{self, MAX_PAGES, MEMORY_BASE};
use lazy_mmu_examples::{Error, Frame, MemoryManager};

use crate::{access, upper};

/// The difference between a frame's virtual and physical address. It is 0 in the identity map, and
/// [`LINEAR_BASE`] once the linear map is active.
static OFFSET: AtomicU64 = AtomicU64::new(0);

/// The board, with the backend `B`.
#[derive(Debug)]
pub struct Virt<B>(PhantomData<B>);

impl<B> Clone for Virt<B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<B> Copy for Virt<B> {}

/// The highest number of frames, which end in the board's first GiB of RAM.
const MAX_FRAMES: usize = scenario::memory_frames(MAX_PAGES);

impl<B: Backend> Virt<B> {
    /// Returns the board and the map of its frames, which are all free.
    ///
    /// All CPUs leave the tables of the memory manager before, because each memory manager of a
    /// program builds its tables anew.
    pub fn new(frames: usize) -> (Self, MemoryMap<'static>) {
        static USES: [AtomicU8; MAX_FRAMES] = [const { AtomicU8::new(0) }; MAX_FRAMES];

        for used in &USES {
            used.store(0, Relaxed);
        }
        let map = MemoryMap::new(MEMORY_BASE, &USES[..frames]);
        upper::leave(map);
        OFFSET.store(0, Relaxed);
        (Self(PhantomData), map)
    }

    /// Boots a memory manager on fresh memory.
    pub fn boot(
        frames: usize,
        debug_pagealloc: bool,
    ) -> Result<MemoryManager<'static, Self>, Error> {
        let (machine, map) = Self::new(frames);
        MemoryManager::boot(machine, map, debug_pagealloc)
    }

    fn table(frame: Frame) -> &'static Table {
        let address = frame.address() + OFFSET.load(Relaxed);
        let address = usize::try_from(address).expect("64 bits");
        // SAFETY: the frames are RAM that only memory managers use, and they only ask for frames
        // that are tables. The frames are mapped before and after `activate`. All accesses to them
        // are atomic.
        unsafe { &*with_exposed_provenance(address) }
    }
}

/// Returns the entries of the live table at `level` from the one that translates `address` on.
pub fn entries<B: Backend>(
    mm: &MemoryManager<'static, Virt<B>>,
    address: u64,
    level: usize,
) -> Result<&'static [AtomicU64], Error> {
    let entry = mm.entry(address, level);
    let (table, index) = entry.ok_or(Error::NotMapped { address })?;
    Ok(&Virt::<B>::table(table)[index..])
}

impl<B: Backend> Machine for Virt<B> {
    type Backend = B;

    fn root_level(&self) -> usize {
        upper::root_level()
    }

    fn table(&self, frame: Frame) -> &Table {
        Self::table(frame)
    }

    fn activate(&self, root: Frame) {
        upper::enter(root.address(), Self::table(root));
        OFFSET.store(LINEAR_BASE, Relaxed);
    }

    fn read(&self, address: u64) -> Result<u64, Fault> {
        access::read(address)
    }

    fn write(&self, address: u64, value: u64) -> Result<(), Fault> {
        access::write(address, value)
    }

    fn zero(&self, frame: Frame) -> Result<(), Fault> {
        // The access to the first word faults if the page is not mapped.
        access::write(frame.address() + OFFSET.load(Relaxed), 0)?;
        for word in Self::table(frame) {
            word.store(0, Relaxed);
        }
        Ok(())
    }
}

/// Returns the range of `pages` pages that begins at `address`.
pub fn pages(address: u64, pages: u64) -> VirtualRange {
    let range = format::range(address, pages);
    range.expect("they are pages of one half")
}
