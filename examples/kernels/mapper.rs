//! The work of the interrupt and fault handlers in the programs that interrupt sections. A handler
//! maps a page, uses it, and removes the mapping.

use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use lazy_mmu::{Backend, lazy_mmu};
use lazy_mmu_examples::PageRange;
use lazy_mmu_examples::format::Leaf;
use spin::mutex::SpinMutex;

use crate::access;
use crate::arena::{Arena, WORD};

/// The handler's entry, its leaf, and the page that the entry translates.
#[derive(Clone, Copy)]
struct Target {
    slot: &'static AtomicU64,
    leaf: Leaf,
    page: PageRange,
}

static TARGET: SpinMutex<Option<Target>> = SpinMutex::new(None);
/// The number of times that the handler has used its mapping.
static USED: AtomicUsize = AtomicUsize::new(0);

/// Lets the handler map the arena's first frame at page `number`. This precedes all interrupts.
pub fn init(arena: &Arena, number: usize) {
    let page = PageRange::new(arena.range.page(number), 1);
    *TARGET.lock() = Some(Target {
        slot: &arena.slots[number],
        leaf: arena.leaf(0),
        page: page.expect("it is a page's address"),
    });
}

/// Returns how often the handler has used its mapping since the last call.
pub fn used() -> usize {
    USED.swap(0, Relaxed)
}

/// Maps a page in a section, and uses it after the section.
///
/// In an interrupt, it uses the page inside the section too, because the store has its barrier
/// there.
pub fn map_and_use<B: Backend>(in_interrupt: bool) {
    /// Maps the page. The mapping is ready for use when this returns.
    #[lazy_mmu(backend = B, mmu)]
    fn map<B: Backend>(target: Target, in_interrupt: bool) {
        mmu.write(target.slot, target.leaf);
        if in_interrupt {
            read(target);
        }
    }

    /// Reads through the mapping. A fault is unexpected, and ends the program.
    fn read(target: Target) {
        assert_eq!(access::read_mapped(target.page.start()), WORD);
    }

    let target = TARGET.lock().expect("`init` was called");
    map::<B>(target, in_interrupt);
    read(target);
    lazy_mmu::write::<B, _>(target.slot, Leaf::INVALID);
    lazy_mmu::flush_tlb_kernel_range::<B>(target.page.into());
    USED.fetch_add(1, Relaxed);
}
