// A forged guard would leave a section that this thread has not entered.
// The fields are private, and code outside the crate cannot make a value for one of them.

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
