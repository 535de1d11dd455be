//! Live tables for the program that counts, and the counter: 512 entries of the vmalloc area, and
//! the 512 entries of the linear map that translate the same frames.

use core::ffi::c_void;
use core::sync::atomic::Ordering::Relaxed;

use lazy_mmu::flush_tlb_all;
use lazy_mmu::riscv64::descriptor::VALID;
use lazy_mmu_examples::machine::Table;
use lazy_mmu_examples::page::{LEAF_LEVEL, VMALLOC_BASE};
use lazy_mmu_examples::{Error, Frame, Machine, PageRange};
use lazy_mmu_qemu_riscv64::virt::{Virt, entries};
use lazy_mmu_qemu_riscv64::{smp, steps};
use riscv::register::instret;

use crate::arch::{self, Mmu};
use crate::forms::{Form, Operation};

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
        assert_eq!(smp::others().count(), 0, "the backends are for one hart");
        let mut mm = Virt::<Mmu>::boot(4096, false)?;
        let range = PageRange::new(VMALLOC_BASE, PAGES)?;
        mm.build_tables(range)?;
        // These frames include all those of one table of the linear map.
        let first = mm.allocate(2 * PAGES)?;
        let size = PAGES as u64 * 4096;
        let first = Frame::containing(first.address().next_multiple_of(size));
        let table = |address| {
            // The address is the first one of a table.
            let entry = mm.entry(address, LEAF_LEVEL);
            assert_eq!(entry.map(|it| it.1), Some(0));
            let entries = entries(&mm, address, LEAF_LEVEL)?.as_array();
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

    /// Counts the instructions of one form of `operation` on the first `pages` entries. It makes
    /// them invalid before, and those of the linear map too if the operation has DEBUG_PAGEALLOC.
    pub fn measure(&self, operation: &Operation, form: Form, pages: usize) -> u64 {
        let [one, two] = [(); 2].map(|()| {
            self.reset(!operation.name.ends_with("pagealloc"));
            operation.with(|handle| self.count(form, handle, pages))
        });
        assert_eq!(one, two, "{}: the counter is exact", operation.name);
        one
    }

    /// Calls one form of `operation` on the first `pages` entries, between marks for the observer.
    pub fn record(&self, operation: &Operation, form: Form, pages: usize) {
        self.reset(!operation.name.ends_with("pagealloc"));
        operation.with(|handle| steps::record(|| self.call(form, handle, pages)));
    }

    /// Counts the instructions of one form on the first `pages` entries.
    pub fn count(&self, form: Form, handle: *mut c_void, pages: usize) -> u64 {
        // The cost of a call is the same for all forms.
        let call = self.counted(arch::nothing, handle, pages);
        self.counted(form, handle, pages) - call
    }

    /// Counts a call of one form, with the call and the return.
    #[inline(never)]
    fn counted(&self, form: Form, handle: *mut c_void, pages: usize) -> u64 {
        counted(|| self.call(form, handle, pages))
    }

    #[inline]
    fn call(&self, form: Form, handle: *mut c_void, pages: usize) {
        let (slots, linear) = (self.slots.as_ptr(), self.linear.as_ptr());
        let first = self.first();
        // SAFETY: the entries are live, and the programs pass the handle that the form takes.
        unsafe { form(handle, slots, linear, pages, first) };
    }
}

/// Returns the number of instructions of `program` and of a read of the counter.
///
/// Two calls of this function may be compiled to different instructions. A caller that subtracts
/// the count of an empty program therefore makes both calls at one place.
///
/// The kernels have no traps while they count, so all instructions are those of the program. QEMU
/// counts exactly only if it runs with `-icount`.
pub fn counted(program: impl FnOnce()) -> u64 {
    let start = instret::read64();
    program();
    instret::read64() - start
}
