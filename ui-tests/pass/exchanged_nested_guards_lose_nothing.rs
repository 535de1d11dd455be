// Guards nested in two closures' sections can have the same type, and code can exchange them.
// Neither guard ends the mode. The enclosing leave emits a pair that they do not emit.
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

    // A swapped guard may be inert. The enclosing leave emits the pair.
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
