//! A machine that counts the tables that the memory manager fills, and whether a section was open.
//!
//! It shows that a page mapped in a nested section is used before the outer section is left, on the
//! host and on a CPU: a walk allocates a table, and fills it with zeros through the linear map.

use core::cell::Cell;

use crate::machine::{Fault, Machine, Table};
use crate::page::Frame;

/// How many frames the memory manager filled with zeros.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Filled {
    /// While a section was open that was not the allocator's: after its nested leave, before the outer one.
    pub in_section: usize,
    /// Outside any section.
    pub outside: usize,
}

/// The machine `M`, whose filled frames are counted.
#[derive(Clone, Copy, Debug)]
pub struct Witness<'w, M> {
    machine: M,
    filled: &'w Cell<Filled>,
}

impl<'w, M> Witness<'w, M> {
    /// Counts in `filled`.
    pub fn new(machine: M, filled: &'w Cell<Filled>) -> Self {
        Self { machine, filled }
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
        self.machine.write(address, value)
    }

    fn zero(&self, frame: Frame) -> Result<(), Fault> {
        self.machine.zero(frame)?;
        let mut filled = self.filled.get();
        if lazy_mmu::is_active::<M::Backend>() {
            filled.in_section += 1;
        } else {
            filled.outside += 1;
        }
        self.filled.set(filled);
        Ok(())
    }
}
