// Where the bits are and how other harts fence is a promise of the kernel. `riscv64::Kernel` is an
// unsafe trait, whose implementer makes it (E0200).

use lazy_mmu::riscv64::{ByteAt, Kernel, OneHart, PreemptCountAt, Tp};

struct Careless;

impl Kernel for Careless {
    type Task = Tp;
    type Bits = ByteAt<8>;
    type Interrupt = PreemptCountAt<0, 0x00ff_ff00>;
    type Harts = OneHart;
}

fn main() {}
