// An entry of another size would be written as 64 bits.
// `Entry` is an unsafe trait: its author promises (E0200).

struct Narrow(u32);

impl lazy_mmu::Entry for Narrow {}

fn main() {}
