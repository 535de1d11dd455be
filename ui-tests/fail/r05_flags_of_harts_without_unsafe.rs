// A hart whose flag is missing keeps invalid entries. `HartFlags` is an unsafe trait, whose
// implementer promises a flag for each hart (E0200).

use core::sync::atomic::AtomicU32;

use lazy_mmu::riscv64::HartFlags;

static FLAG: AtomicU32 = AtomicU32::new(0);

struct Careless;

impl HartFlags for Careless {
    fn for_each(_: impl FnMut(&AtomicU32)) {}

    fn this_hart() -> &'static AtomicU32 {
        &FLAG
    }
}

fn main() {}
