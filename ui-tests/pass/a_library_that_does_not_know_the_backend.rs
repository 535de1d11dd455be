// A library that is generic over the backend would pass the parameter through every function.
// `Global` is the default everywhere, and the final binary registers the backend in one line.
#![deny(warnings)]

mod library {
    use core::sync::atomic::AtomicU64;

    use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
    use lazy_mmu::{LazyMmu, Nesting, lazy_mmu};

    #[lazy_mmu(mmu)]
    pub fn map(slot: &AtomicU64) {
        deeper(mmu, slot);
    }

    fn deeper<L: Nesting>(mmu: &mut LazyMmu<'_, L>, slot: &AtomicU64) {
        mmu.write(slot, Leaf::page(0x4000_0000, KERNEL_DATA));
    }
}

lazy_mmu::set_global_backend!(lazy_mmu::sim::Sim);

fn main() {
    let slot = core::sync::atomic::AtomicU64::new(0);
    library::map(&slot);
    assert!(lazy_mmu::sim::is_settled(&slot));
}
