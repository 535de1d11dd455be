// A forged proof would unlock a mapping whose pair is still pending.
// The fields of a proof are private.

use core::marker::PhantomData;

use lazy_mmu::Visible;

fn forge() -> Visible<'static, 'static> {
    Visible {
        section: PhantomData,
        brand: PhantomData,
    }
}

fn main() {}
