// A generator's caller runs between two values, and would run inside the generator's section. The
// attribute refuses `gen fn`, on that token. The compiler refuses unstable `gen` itself (E0658).

use lazy_mmu::lazy_mmu;

#[lazy_mmu]
gen fn numbers() -> u32 {
    yield 1;
}

#[lazy_mmu]
async gen fn later_numbers() -> u32 {
    yield 1;
}

#[lazy_mmu]
fn lazy_numbers() -> impl Iterator<Item = u32> {
    gen {
        yield 1;
    }
}

fn main() {
    drop((numbers(), later_numbers(), lazy_numbers()));
}
