//! What an interrupt's or a fault's handler does in the programs that interrupt sections: it maps a page, uses it, and takes
//! the mapping away again.

use core::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering};

use lazy_mmu::aarch64::descriptor::Leaf;
use lazy_mmu::{Backend, lazy_mmu};
use lazy_mmu_examples::PageRange;

use crate::access;
use crate::arena::{Arena, WORD};

/// Where the handler's entry is, what it maps, and where; and how often it has used its mapping.
static SLOT: AtomicPtr<AtomicU64> = AtomicPtr::new(core::ptr::null_mut());
static LEAF: AtomicU64 = AtomicU64::new(0);
static ADDRESS: AtomicU64 = AtomicU64::new(0);
static USED: AtomicUsize = AtomicUsize::new(0);

/// Says that the handler maps page `number` of the arena; what, is its first frame.
pub fn init(arena: &Arena, number: usize) {
    SLOT.store(
        core::ptr::from_ref(&arena.slots[number]).cast_mut(),
        Ordering::Relaxed,
    );
    LEAF.store(arena.leaf(0).0, Ordering::Relaxed);
    ADDRESS.store(arena.range.page(number), Ordering::Relaxed);
}

/// How often the handler has used its mapping since the last call.
pub fn used() -> usize {
    USED.swap(0, Ordering::Relaxed)
}

/// What a handler does: in a section, it maps a page, and uses it: in an interrupt before it leaves, for there every store
/// is followed by its pair at once; and after it.
///
/// # Panics
///
/// If it reads something else than it should. A fault ends the program.
pub fn map_and_use<B: Backend>(in_interrupt: bool) {
    /// The mapping may be used when this returns.
    #[lazy_mmu(backend = B, mmu)]
    fn map<B: Backend>(slot: &AtomicU64, in_interrupt: bool) {
        mmu.write(slot, Leaf(LEAF.load(Ordering::Relaxed)));
        if in_interrupt {
            read();
        }
    }

    // SAFETY: it points to an entry of a live table.
    let slot = unsafe { &*SLOT.load(Ordering::Relaxed) };
    map::<B>(slot, in_interrupt);
    read();
    lazy_mmu::write::<B, _>(slot, Leaf::INVALID);
    let address = ADDRESS.load(Ordering::Relaxed);
    let page = PageRange::new(address, 1).expect("it is a page's address");
    lazy_mmu::flush_tlb_kernel_range::<B>(page.into());
    USED.fetch_add(1, Ordering::Relaxed);
}

/// Reads through the handler's mapping. A fault would be unexpected, and end the program.
fn read() {
    let word = access::read_mapped(ADDRESS.load(Ordering::Relaxed));
    assert_eq!(word, WORD);
}
