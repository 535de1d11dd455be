// A walk passes its section to callbacks of many kinds. A callback without it would store alone.
// Each callback takes the section by `&mut`.
#![deny(warnings)]

use core::sync::atomic::AtomicU64;

use lazy_mmu::aarch64::descriptor::Leaf;
use lazy_mmu::sim::Sim;
use lazy_mmu::{Dynamic, LazyMmu, with};

type Mmu<'id> = LazyMmu<'id, Dynamic, Sim>;

fn by_reference(mmu: &mut Mmu<'_>, f: &mut dyn FnMut(&mut Mmu<'_>)) {
    f(mmu);
}

fn boxed<'f>(slot: &'f AtomicU64) -> Box<dyn Fn(&mut Mmu<'_>) + 'f> {
    Box::new(move |mmu| mmu.write(slot, Leaf::INVALID))
}

trait Visitor {
    fn visit(&mut self, mmu: &mut Mmu<'_>);
}

impl Visitor for u32 {
    fn visit(&mut self, mmu: &mut Mmu<'_>) {
        mmu.note_store();
        *self += 1;
    }
}

fn main() {
    let slots = [const { AtomicU64::new(0) }; 3];
    let mut visits = 0_u32;
    with::<Sim, _>(|mmu| {
        by_reference(mmu, &mut |mmu| mmu.note_store());
        slots.iter().map(boxed).for_each(|f| f(mmu));
        let visitor: &mut dyn Visitor = &mut visits;
        visitor.visit(mmu);
        visitor.visit(&mut mmu.nest());
        slots.iter().fold(mmu, |mmu, slot| {
            mmu.write(slot, Leaf::INVALID);
            mmu
        });
    });
    assert_eq!(visits, 2);
}
