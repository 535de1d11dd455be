//! The work of the interrupt handler in the programs that interrupt sections. It maps a page, uses
//! it, and removes the mapping.

use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use lazy_mmu::{Backend, Bits, Storage as _, lazy_mmu};
use lazy_mmu_examples::PageRange;
use lazy_mmu_examples::format::Leaf;
use spin::mutex::SpinMutex;

use crate::arena::{Arena, WORD};
use crate::{access, steps};

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
/// The same, while the interrupted program had an open section.
static IN_SECTION: AtomicUsize = AtomicUsize::new(0);

/// Lets the handler map the arena's frame at page `number`. This precedes all interrupts.
pub fn init(arena: &Arena, number: usize) {
    let page = PageRange::new(arena.range.page(number), 1);
    *TARGET.lock() = Some(Target {
        slot: &arena.slots[number],
        leaf: arena.leaf(0),
        page: page.expect("it is a page's address"),
    });
}

/// Returns how often the handler has used its mapping since the last call, and how often of these
/// the interrupted program had an open section.
pub fn used() -> (usize, usize) {
    (USED.swap(0, Relaxed), IN_SECTION.swap(0, Relaxed))
}

/// Maps a page in a section, and uses it inside the section and after it. In an interrupt, a store
/// has its barrier at once.
pub fn map_and_use<B: Backend>() {
    /// Maps the page. The mapping is ready for use when this returns.
    #[lazy_mmu(backend = B, mmu)]
    fn map<B: Backend>(target: Target) {
        mmu.write(target.slot, target.leaf);
        read(target);
    }

    /// Reads through the mapping. A fault is unexpected, and ends the program.
    fn read(target: Target) {
        assert_eq!(access::read_mapped(target.page.start()), WORD);
    }

    if B::current().load() != Bits::EMPTY {
        IN_SECTION.fetch_add(1, Relaxed);
    }
    let target = TARGET.lock().expect("`init` was called");
    steps::start::<{ steps::HANDLER }>();
    map::<B>(target);
    read(target);
    lazy_mmu::write::<B, _>(target.slot, Leaf::INVALID);
    lazy_mmu::flush_tlb_kernel_range::<B>(target.page.into());
    steps::stop();
    USED.fetch_add(1, Relaxed);
}
