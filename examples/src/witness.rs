//! A machine that counts the frames that the memory manager fills, inside and outside of sections.
//!
//! The counts show that a page from a nested section is used before the outer leave: a walk
//! allocates a table, and fills it with zeros through the linear map.

use core::cell::Cell;

use crate::machine::{Fault, Machine, Table};
use crate::page::Frame;

/// The number of frames that the memory manager filled with zeros.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Filled {
    /// The frames filled in a section: after the allocator's nested leave, before the outer leave.
    pub in_section: usize,
    /// The frames filled outside of sections.
    pub outside: usize,
}

/// The machine `M`, with a count of the filled frames.
#[derive(Clone, Copy, Debug)]
pub struct Witness<'w, M> {
    machine: M,
    filled: &'w Cell<Filled>,
}

impl<'w, M> Witness<'w, M> {
    /// Creates a machine that counts in `filled`.
    pub fn new(machine: M, filled: &'w Cell<Filled>) -> Self {
        Self { machine, filled }
    }
}

impl<M: Machine> Machine for Witness<'_, M> {
    type Backend = M::Backend;

    fn root_level(&self) -> usize {
        self.machine.root_level()
    }

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
