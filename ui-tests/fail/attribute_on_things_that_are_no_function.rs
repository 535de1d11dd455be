// On a type or a block of items it would do nothing, and its author would believe that every function inside had a section.
// The attribute refuses it, once, on the first token that tells, and the item is there all the same.

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
    let _ = (SIZE, COUNT, Level::Page, entry!() as Entry, Word { whole: 0 }, alloc::vec::Vec::<u8>::new());
    entry();
}
