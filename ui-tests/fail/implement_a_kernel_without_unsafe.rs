// A wrong configuration of the aarch64 backend loses barriers, and safe code could write one.
// `Kernel` is an unsafe trait, whose implementer promises the duties of a kernel (E0200).

use lazy_mmu::aarch64::{ByteAt, Kernel, PreemptCountAt, SpEl0};

struct Careless;

impl Kernel for Careless {
    type Task = SpEl0;
    type Bits = ByteAt<4>;
    type Interrupt = PreemptCountAt<0, 0x00ff_ff00>;
}

fn main() {}
