// The crate would write 64 bits into an entry of another size.
// `Entry` is an unsafe trait, whose implementer promises the size (E0200).

struct Narrow(u32);

impl lazy_mmu::Entry for Narrow {}

fn main() {}
