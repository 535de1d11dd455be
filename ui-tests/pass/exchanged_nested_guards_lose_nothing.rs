// Guards nested in two closures' sections may have the same type, and then they can be exchanged.
// Neither ends the mode; what one does not flush the section around it does, as for a forgotten one.
#![deny(warnings)]

use core::mem::{forget, replace, swap};
use core::sync::atomic::AtomicU64;

use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
use lazy_mmu::sim::{Sim, bits, is_settled};
use lazy_mmu::{Bits, is_active, with};

fn main() {
    let slot = AtomicU64::new(0);
    with::<Sim, _>(|outer| {
        with::<Sim, _>(|inner| {
            let (mut one, mut two) = (outer.nest(), inner.nest());
            one.write(&slot, Leaf::page(0x4000_0000, KERNEL_DATA));
            swap(&mut one, &mut two);
            drop(replace(&mut one, two));
            forget(one);
            assert!(is_active::<Sim>());
        });
        assert!(is_active::<Sim>());
        assert!(is_settled(&slot));
    });
    assert_eq!(bits::<Sim>(), Bits::EMPTY);

    // A swapped guard may be inert; the section around emits.
    with::<Sim, _>(|outer| {
        lazy_mmu::sim::interrupt(|| {
            with::<Sim, _>(|inert| {
                let (mut one, mut two) = (outer.nest(), inert.nest());
                one.write(&slot, Leaf::page(0x4000_0000, KERNEL_DATA));
                swap(&mut one, &mut two);
                drop(one);
                forget(two);
            });
        });
    });
    assert!(is_settled(&slot));
    assert_eq!(bits::<Sim>(), Bits::EMPTY);
}
