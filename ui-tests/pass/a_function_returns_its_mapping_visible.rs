// A caller that needs `unsafe`, or a second flush, to use a new mapping would avoid the types.
// `visible` and `try_visible` leave the section and return the value of the mapping.
#![deny(warnings)]

use core::sync::atomic::AtomicU64;

use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
use lazy_mmu::sim::{Sim, is_settled};

const PAGE: Leaf = Leaf::page(0x4000_0000, KERNEL_DATA);

fn map(slot: &AtomicU64) -> usize {
    lazy_mmu::visible::<Sim, _>(|mmu| mmu.write_pending(slot, PAGE, 1))
}

fn try_map(slot: Option<&AtomicU64>) -> Result<usize, &'static str> {
    lazy_mmu::try_visible::<Sim, _, _>(|mmu| {
        let slot = slot.ok_or("no entry")?;
        Ok(mmu.write_pending(slot, PAGE, 2))
    })
}

fn main() {
    let slot = AtomicU64::new(0);
    assert_eq!(map(&slot), 1);
    assert!(is_settled(&slot));
    assert_eq!(try_map(Some(&slot)), Ok(2));
    assert_eq!(try_map(None), Err("no entry"));
    assert!(lazy_mmu::check_idle::<Sim>().is_ok());
}
