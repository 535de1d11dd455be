//! Live tables for the programs that count: 512 entries of the vmalloc area, and the 512 entries of
//! the linear map that translate the same frames.

use core::ffi::c_void;
use core::ops::Deref;
use core::sync::atomic::Ordering::Relaxed;

use lazy_mmu::aarch64::descriptor::VALID;
use lazy_mmu::flush_tlb_all;
use lazy_mmu_examples::machine::Table;
use lazy_mmu_examples::page::VMALLOC_BASE;
use lazy_mmu_examples::trace::Counts;
use lazy_mmu_examples::{Error, Frame, Machine, PageRange};

use crate::arch;
use crate::forms::{Form, Operation};
use lazy_mmu_qemu::step::{self, Trace};
use lazy_mmu_qemu::thread::Mmu;
use lazy_mmu_qemu::virt::{Virt, entries};

/// The number of entries in a table, which is the highest number of pages.
pub const PAGES: usize = 512;

/// The tables.
pub struct Live {
    machine: Virt<Mmu>,
    /// The entries of the vmalloc area, which are invalid.
    pub slots: &'static Table,
    /// The entries of the linear map. They are invalid for an operation with DEBUG_PAGEALLOC.
    pub linear: &'static Table,
    range: PageRange,
    first: Frame,
}

impl Live {
    /// Builds the tables, and activates them.
    pub fn boot() -> Result<Self, Error> {
        let mut mm = Virt::<Mmu>::boot(4096, false)?;
        let range = PageRange::new(VMALLOC_BASE, PAGES)?;
        mm.build_tables(range)?;
        // These frames include all those of one table of the linear map.
        let first = mm.allocate(2 * PAGES)?;
        let size = PAGES as u64 * 4096;
        let first = Frame::containing(first.address().next_multiple_of(size));
        let table = |address| {
            // The address is the first one of a table.
            let entries = entries(&mm, address, 3)?.as_array();
            entries.ok_or(Error::NotMapped { address })
        };
        Ok(Self {
            machine: mm.machine(),
            slots: table(range.start())?,
            linear: table(first.linear())?,
            range,
            first,
        })
    }

    /// Returns the table in `frame`.
    pub fn table(&self, frame: Frame) -> &Table {
        self.machine.table(frame)
    }

    /// Returns the descriptor of the first page.
    pub fn first(&self) -> u64 {
        self.first.kernel_page().0
    }

    /// Makes all entries of the vmalloc area invalid, and those of the linear map valid or invalid.
    pub fn reset(&self, linear_valid: bool) {
        for (i, (slot, linear)) in self.slots.iter().zip(self.linear).enumerate() {
            slot.store(0, Relaxed);
            let page = self.first.add(i).kernel_page().0;
            let page = if linear_valid { page } else { page & !VALID };
            linear.store(page, Relaxed);
        }
        flush_tlb_all::<Mmu>();
    }

    /// Checks that the first `pages` pages are mapped, in the linear map too. A read through one
    /// mapping finds the write through the other.
    pub fn check(&self, pages: usize) -> Result<(), Error> {
        for page in [0, pages / 2, pages - 1] {
            let word = 0x5eed_0000 + page as u64;
            self.machine.write(self.range.page(page), word)?;
            assert_eq!(self.machine.read(self.first.add(page).linear())?, word);
        }
        Ok(())
    }

    /// Counts one form of `operation` on the first `pages` entries. It makes them invalid before,
    /// and those of the linear map too if the operation has DEBUG_PAGEALLOC.
    pub fn measure(&self, operation: &Operation, form: Form, pages: usize) -> Count {
        self.reset(!operation.name.ends_with("pagealloc"));
        operation.with(|handle| self.count(form, handle, pages))
    }

    /// Counts one form on the first `pages` entries.
    pub fn count(&self, form: Form, handle: *mut c_void, pages: usize) -> Count {
        let trace = self.trace(form, handle, pages);
        // The cost of a call is the same for all forms.
        let call = self.trace(arch::nothing, handle, pages).instructions;
        Count::of(trace, call)
    }

    #[inline(never)]
    fn trace(&self, form: Form, handle: *mut c_void, pages: usize) -> Trace {
        let (slots, linear) = (self.slots.as_ptr(), self.linear.as_ptr());
        let first = self.first();
        step::start();
        // SAFETY: the entries are live, and the programs pass the handle that the form takes.
        unsafe { form(handle, slots, linear, pages, first) };
        step::stop()
    }
}

/// The counts between a call and its return.
#[derive(Clone, Copy, Debug)]
pub struct Count {
    /// The trace, without the instructions of the call itself.
    trace: Trace,
    /// The number of stores to the tables.
    pub stores: usize,
    /// The number of barrier pairs.
    pub pairs: usize,
}

impl Deref for Count {
    type Target = Trace;

    fn deref(&self) -> &Trace {
        &self.trace
    }
}

impl Count {
    /// Returns the counts of `trace`, less `call` instructions.
    pub fn of(mut trace: Trace, call: usize) -> Self {
        trace.instructions -= call;
        let counts = Counts::of(trace.steps);
        let (stores, pairs, barriers) =
            (counts.stores, counts.pairs, [counts.dsb_ishst, counts.isb]);
        let order = trace.order();
        assert_eq!(barriers, [pairs; 2], "a barrier outside a pair: {order}");
        // The next program overwrites the steps.
        trace.steps = &[];
        Self {
            trace,
            stores,
            pairs,
        }
    }
}
