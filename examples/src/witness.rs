//! A machine that counts what the memory manager writes through its mappings, and whether a section was open.
//!
//! It shows that a page mapped in a nested section is used before the outer section is left, on the host and on a CPU.

use core::cell::Cell;

use crate::machine::{Fault, Machine, Table};
use crate::page::Frame;

/// How often the memory manager wrote to a page.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Writes {
    /// While a section was open that was not the allocator's: after its nested leave, before the outer one.
    pub in_section: usize,
    /// Outside any section.
    pub outside: usize,
}

/// The machine `M`, whose writes are counted.
#[derive(Clone, Copy, Debug)]
pub struct Witness<'w, M> {
    machine: M,
    writes: &'w Cell<Writes>,
}

impl<'w, M> Witness<'w, M> {
    /// Counts in `writes`.
    pub fn new(machine: M, writes: &'w Cell<Writes>) -> Self {
        Self { machine, writes }
    }
}

impl<M: Machine> Machine for Witness<'_, M> {
    type Backend = M::Backend;

    fn table(&self, frame: Frame) -> &Table {
        self.machine.table(frame)
    }

    fn activate(&self, root: Frame) {
        self.machine.activate(root);
    }

    fn read(&self, address: u64) -> Result<u64, Fault> {
        self.machine.read(address)
    }

    fn write(&self, address: u64, value: u64) -> Result<(), Fault> {
        self.machine.write(address, value)?;
        let mut writes = self.writes.get();
        if lazy_mmu::is_active::<M::Backend>() {
            writes.in_section += 1;
        } else {
            writes.outside += 1;
        }
        self.writes.set(writes);
        Ok(())
    }

    fn zero(&self, frame: Frame) -> Result<(), Fault> {
        self.machine.zero(frame)
    }
}
