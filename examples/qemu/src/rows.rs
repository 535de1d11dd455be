//! The behaviours that need a CPU. Each is shown on the entries of a live table, by the
//! instructions that the CPU executes.

mod adopting;
mod plain;
mod taking_away;
mod writes;

use core::sync::atomic::AtomicU64;

use lazy_mmu::aarch64::Granule;
use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
use lazy_mmu::{Backend, Dynamic, LazyMmu, VirtualRange};
use lazy_mmu_examples::format::NORMAL_MEMORY;
use lazy_mmu_examples::page::{ENTRIES, PAGE_SIZE, VMALLOC_BASE};
use lazy_mmu_examples::{Error, Frame, Machine as _, PageRange};

use crate::step::{self, Trace};
use crate::virt::{Virt, entries, pages};

/// The size of a block at level 2, in bytes.
const BLOCK: u64 = ENTRIES as u64 * PAGE_SIZE;
/// An address in a gap behind the pages of [`Rows::range`]. Its level-2 entry is free.
const GAP: u64 = VMALLOC_BASE + BLOCK;

/// The memory and the tables on which the behaviours are shown.
pub struct Rows<B> {
    machine: Virt<B>,
    slots: &'static [AtomicU64; ENTRIES],
    /// The virtual addresses that `slots` translates.
    range: PageRange,
    /// The table of `slots`.
    table: Frame,
    /// The entry at level 2 for `GAP`.
    level_2: &'static AtomicU64,
    /// A free entry of the top-level table.
    top: &'static AtomicU64,
    /// The entry of `frame` in the linear map.
    linear: &'static AtomicU64,
    frame: Frame,
    other: Frame,
    /// A table that is not linked.
    new_table: Frame,
}

impl<B: Backend> Rows<B> {
    /// Builds live tables, and allocates frames.
    pub fn boot() -> Result<Self, Error> {
        let mut mm = Virt::<B>::boot(4096, false)?;
        let range = PageRange::new(VMALLOC_BASE, ENTRIES)?;
        mm.build_tables(range)?;
        let frame = mm.allocate(1)?;
        let other = mm.allocate(1)?;
        let new_table = mm.new_table()?;
        let (table, _) = mm.leaf(range.start()).expect("it was built");
        Ok(Self {
            machine: mm.machine(),
            slots: entries(&mm, range.start(), 3)?
                .as_array()
                .expect("all of a table"),
            range,
            table,
            level_2: &entries(&mm, GAP, 2)?[0],
            top: &entries(&mm, 0xffff_ff00_0000_0000, 0)?[0],
            linear: &entries(&mm, frame.linear(), 3)?[0],
            frame,
            other,
            new_table,
        })
    }

    /// Steps through a program in a section, and checks the order of its steps.
    fn section<R>(
        expected: &str,
        program: impl FnOnce(&mut LazyMmu<'_, Dynamic, B>) -> R,
    ) -> (R, Trace) {
        step::expect(expected, || lazy_mmu::with::<B, _>(program))
    }

    /// Checks that a read at `address` faults.
    #[track_caller]
    fn is_gone(&self, address: u64) {
        let read = self.machine.read(address);
        read.expect_err("it is not mapped");
    }

    fn page(&self, number: usize) -> VirtualRange {
        pages(self.range.page(number), 1)
    }

    /// Returns the block that holds `frame`, for `GAP`.
    fn block(&self) -> Leaf {
        let address = self.frame.address() & !(BLOCK - 1);
        Leaf::new(Granule::Kib4, 2, address, KERNEL_DATA | NORMAL_MEMORY)
            .expect("it is a block of RAM")
    }

    /// Returns the address of `frame` in the block at `GAP`.
    fn in_block(&self) -> u64 {
        GAP + self.frame.address() % BLOCK
    }

    fn clear(&self) {
        for slot in self.slots {
            lazy_mmu::write::<B, _>(slot, Leaf::INVALID);
        }
        lazy_mmu::flush_tlb_kernel_range::<B>(self.range.into());
    }
}
