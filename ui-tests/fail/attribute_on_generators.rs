// Between two values of a generator its caller runs, and would be inside the section.
// The attribute refuses `gen fn`, on that token; the compiler has neither these nor `gen` blocks yet, and says so itself.

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
