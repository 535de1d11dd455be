// A proof from nowhere would redeem a mapping whose pair is pending.
// Its fields are private.

use core::marker::PhantomData;

use lazy_mmu::Visible;

fn forge() -> Visible<'static, 'static> {
    Visible {
        section: PhantomData,
        brand: PhantomData,
    }
}

fn main() {}
