//! What an interrupt's or a fault's handler does in the programs that interrupt sections: it maps a page, uses it, and takes
//! the mapping away again.

use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use lazy_mmu::aarch64::descriptor::Leaf;
use lazy_mmu::{Backend, lazy_mmu};
use lazy_mmu_examples::PageRange;
use spin::mutex::SpinMutex;

use crate::access;
use crate::arena::{Arena, WORD};

/// The handler's entry, what it maps, and where.
#[derive(Clone, Copy)]
struct Target {
    slot: &'static AtomicU64,
    leaf: Leaf,
    page: PageRange,
}

static TARGET: SpinMutex<Option<Target>> = SpinMutex::new(None);
/// How often the handler has used its mapping.
static USED: AtomicUsize = AtomicUsize::new(0);

/// Says that the handler maps page `number` of the arena; what, is its first frame. Before the
/// first interrupt.
pub fn init(arena: &Arena, number: usize) {
    let page = PageRange::new(arena.range.page(number), 1);
    *TARGET.lock() = Some(Target {
        slot: &arena.slots[number],
        leaf: arena.leaf(0),
        page: page.expect("it is a page's address"),
    });
}

/// How often the handler has used its mapping since the last call.
pub fn used() -> usize {
    USED.swap(0, Relaxed)
}

/// What a handler does: in a section, it maps a page, and uses it: in an interrupt before it leaves, for there every store
/// is followed by its pair at once; and after it.
pub fn map_and_use<B: Backend>(in_interrupt: bool) {
    /// The mapping may be used when this returns.
    #[lazy_mmu(backend = B, mmu)]
    fn map<B: Backend>(target: Target, in_interrupt: bool) {
        mmu.write(target.slot, target.leaf);
        if in_interrupt {
            read(target);
        }
    }

    /// A fault would be unexpected, and end the program.
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
