// A guard from nowhere would leave a section that nobody entered.
// Its fields are private, and one of them cannot even be made outside the crate.

use core::marker::PhantomData;

use lazy_mmu::sim::Sim;
use lazy_mmu::{LazyMmu, Nested};

fn forge() -> LazyMmu<'static, Nested, Sim> {
    LazyMmu {
        nesting: PhantomData,
        brand: PhantomData,
    }
}

fn main() {}
