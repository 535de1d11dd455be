// On a type or an `impl` the attribute would have no effect, though its author expects sections.
// The attribute refuses the item once, on the first token that shows its kind, and keeps the item.

use lazy_mmu::lazy_mmu;

#[lazy_mmu]
impl Table {
    fn map(&self) {}
}

#[lazy_mmu]
pub struct Table;

#[lazy_mmu]
unsafe impl Map for Table {}

#[lazy_mmu]
pub unsafe trait Map {
    fn map_all(&self) {}
}

#[lazy_mmu]
mod tables {
    pub(crate) fn map() {}
}

#[lazy_mmu]
enum Level {
    Page,
}

#[lazy_mmu]
union Word {
    whole: u64,
}

#[lazy_mmu]
const SIZE: usize = 4096;

#[lazy_mmu]
static COUNT: usize = 512;

#[lazy_mmu]
type Entry = u64;

#[lazy_mmu]
use tables::map;

#[lazy_mmu]
macro_rules! entry {
    () => {
        0
    };
}

#[lazy_mmu]
extern crate alloc;

#[lazy_mmu]
entry_function! {}

#[macro_export]
macro_rules! entry_function {
    () => {
        fn entry() {}
    };
}

fn main() {
    Table.map();
    Table.map_all();
    map();
    let _ = (SIZE, COUNT, Level::Page, entry!() as Entry, Word { whole: 0 });
    let _ = alloc::vec::Vec::<u8>::new();
    entry();
}
