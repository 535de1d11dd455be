// A constant or a type does not have a body that could be a section.
// The attribute refuses the item, on the token that names its kind.

use lazy_mmu::lazy_mmu;

trait Map {
    #[lazy_mmu]
    const PAGES: usize = 1;
    #[lazy_mmu]
    type Entry;
}

struct Table;

impl Map for Table {
    #[lazy_mmu]
    const PAGES: usize = 512;
    #[lazy_mmu]
    type Entry = u64;
}

fn main() {
    let _: <Table as Map>::Entry = Table::PAGES as u64;
}
