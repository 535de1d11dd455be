// A guard from nowhere would leave a section that nobody entered.
// Its fields are private (E0451).

use core::marker::PhantomData;

use lazy_mmu::sim::Sim;
use lazy_mmu::{Backend, LazyMmu, Nested};

fn forge() -> LazyMmu<'static, Nested, Sim> {
    LazyMmu {
        bits: Sim::current(),
        token: (),
        brand: PhantomData,
        thread: unreachable!(),
    }
}

fn main() {}
