//! The work of the memory manager in `size_lazy` and `size_eager`, whose sizes are compared.

use lazy_mmu::Backend;
use lazy_mmu_examples::page::{USER_BASE, VMALLOC_BASE};
use lazy_mmu_examples::{Error, PageRange};

use crate::virt::Virt;

/// Maps, populates, unmaps and frees with the backend `B`, and with DEBUG_PAGEALLOC.
pub fn run<B: Backend>() -> Result<(), Error> {
    const MANY: usize = 64;
    let mut mm = Virt::<B>::boot(4096, true)?;
    let machine = mm.machine();
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
