//! The memory manager's work, for the two programs whose sizes are compared: `size_lazy` and `size_eager`.

use core::sync::atomic::AtomicU8;

use lazy_mmu::Backend;
use lazy_mmu_examples::frames::MemoryMap;
use lazy_mmu_examples::page::{USER_BASE, VMALLOC_BASE};
use lazy_mmu_examples::scenario::MEMORY_BASE;
use lazy_mmu_examples::{Error, MemoryManager, PageRange};

use crate::virt::Virt;

const FRAMES: usize = 4096;
static USES: [AtomicU8; FRAMES] = [const { AtomicU8::new(0) }; FRAMES];

/// Maps, populates, unmaps and frees with the backend `B`, with DEBUG_PAGEALLOC.
///
/// # Errors
///
/// Those of the memory manager.
pub fn run<B: Backend>() -> Result<(), Error> {
    const MANY: usize = 64;
    let map = MemoryMap::new(MEMORY_BASE, &USES);
    // SAFETY: the RAM there is the frames', and in the identity map; this is the only memory manager.
    let machine = unsafe { Virt::<B>::new(map) };
    let mut mm = MemoryManager::boot(machine, map, true)?;
    let page = PageRange::new(VMALLOC_BASE, 1)?;
    let frame = mm.allocate(1)?;
    mm.vmap(page, &[frame])?.write(machine, 1, 2)?;
    mm.vunmap_range(page)?;
    mm.release(frame)?;
    let range = PageRange::new(USER_BASE, MANY)?;
    mm.populate_range(range)?;
    mm.zap_range(range)?;
    mm.populate_user_range(range)?;
    mm.zap_range(range)
}
