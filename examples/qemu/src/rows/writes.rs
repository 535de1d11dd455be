//! The behaviours of writes that are not plain stores, of TLB invalidation, of the hooks, and of
//! faults inside sections.

use core::marker::PhantomData;
use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering::Relaxed};

use lazy_mmu::aarch64::Granule;
use lazy_mmu::aarch64::descriptor::{ACCESSED, Leaf, READ_ONLY, Table, TopLevel, VALID};
use lazy_mmu::aarch64::update;
use lazy_mmu::{Backend, lazy_mmu};
use lazy_mmu_examples::preempt::{NoPreemption, PreemptCount};
use lazy_mmu_examples::{Error, Frame, Machine};
use semihosting::println;

use super::{GAP, Rows, pages};
use crate::exceptions::with_pager;
use crate::step;
use crate::thread::Place;

/// The preempt count of the only thread.
struct Of<B>(PhantomData<B>);

impl<B: Place> PreemptCount for Of<B> {
    fn current() -> &'static AtomicU32 {
        &B::thread().preempt_count
    }
}

impl<B: Place> Rows<B> {
    /// Shows the behaviours of the other writes, and those that do not concern writes.
    pub fn writes(&self) -> Result<(), Error> {
        println!("K02 the bits in: {}", B::PLACE);
        self.b10_b12_b13_tables();
        self.b11_a_block_by_the_leaf_rule()?;
        self.b14_never_deferred();
        self.b15_atomic_updates()?;
        self.b16_without_synchronisation();
        self.b20_b21_invalidation();
        self.unmapped_frames_come_back_after_it()?;
        self.b23_a_block_is_split()?;
        self.b24_the_linear_map()?;
        self.b30_invalidation_by_entries()?;
        self.b31_a_repeated_invalidation();
        self.b33_a_block_that_the_hardware_makes_dirty()?;
        self.s27_joined_sections();
        self.b34_b35_many_taken_away()?;
        self.b36_user_mappings()?;
        self.k08_a_machine_of_its_own();
        self.k09_k10_tables()?;
        self.p10_p11_without_a_section_or_its_level();
        self.c13_before_the_first_task();
        Self::b25_preemption_stays_enabled();
        self.c11_a_fault_inside_a_section()?;
        self.k04_hooks();
        Ok(())
    }

    fn b10_b12_b13_tables(&self) {
        let table = self.table.address();
        let link = Table::at(table);
        Self::section("D S D I", |mmu| mmu.write(self.level_2, link));
        Self::section("S", |mmu| mmu.write(self.level_2, Table::INVALID));
        for (link, expected) in [
            (TopLevel::at(table), "D S D I"),
            (TopLevel::INVALID, "S D I"),
        ] {
            step::expect(expected, || {
                lazy_mmu::with::<B, _>(|mmu| mmu.write(self.top, link));
            });
        }
        lazy_mmu::flush_tlb_all::<B>();
        println!(
            "B10 B12 B13 a table: D S D I, cleared: S; at the top level: D S D I, cleared: S D I"
        );
    }

    fn b11_a_block_by_the_leaf_rule(&self) -> Result<(), Error> {
        Self::section("S D I", |mmu| mmu.write(self.level_2, self.block()));
        self.machine.write(self.in_block(), 0x11)?;
        assert_eq!(self.machine.read(self.frame.linear())?, 0x11);
        Self::section("S D T d R d I", |mmu| {
            mmu.write(self.level_2, Leaf::INVALID);
            // One instruction removes the block, whichever of its addresses the instruction has.
            mmu.flush_tlb_kernel_range(pages(GAP, 1));
        });
        self.is_gone(self.in_block());
        println!("B11 a block of 2 MiB through the leaf rule: S D I, and it is used");
        Ok(())
    }

    fn b14_never_deferred(&self) {
        step::expect("S D I", || {
            lazy_mmu::write_sync::<B, _>(self.top, TopLevel::INVALID);
        });
        Self::section("S*2 D I", |mmu| {
            mmu.write(&self.slots[0], self.frame.kernel_page());
            mmu.write_sync(self.top, TopLevel::INVALID);
        });
        println!(
            "B14 write_sync in a section with something pending: S*2 D I, \
             and the leave owes nothing"
        );
        self.clear();
    }

    fn b15_atomic_updates(&self) -> Result<(), Error> {
        let slot = &self.slots[0];
        let leaf = self.frame.kernel_page();
        let address = self.range.page(0);
        lazy_mmu::write::<B, _>(slot, leaf);
        self.machine.write(address, 1)?;
        let (old, _) = Self::section("S", |_| update::set_wrprotect::<B>(slot, 0));
        assert_eq!(old, leaf.0);
        lazy_mmu::flush_tlb_kernel_range::<B>(self.page(0));
        self.machine.write(address, 2).expect_err("it is read-only");
        assert_eq!(self.machine.read(address)?, 1);
        let (old, _) = Self::section("S", |_| update::test_and_clear_young::<B>(slot));
        assert_eq!(old, leaf.0 | READ_ONLY);
        lazy_mmu::flush_tlb_kernel_range::<B>(self.page(0));
        self.is_gone(address);
        let (changed, _) = Self::section("S D I", |mmu| mmu.set_access_flags(slot, leaf, 0));
        assert!(changed);
        lazy_mmu::flush_tlb_kernel_range::<B>(self.page(0));
        self.machine.write(address, 3)?;
        let (old, _) = Self::section("S", |_| update::get_and_clear::<B>(slot));
        assert_eq!(old & !ACCESSED, leaf.0 & !ACCESSED);
        lazy_mmu::flush_tlb_kernel_range::<B>(self.page(0));
        self.is_gone(address);
        let (exchanged, _) = Self::section("S D I", |mmu| {
            mmu.compare_exchange(slot, Leaf::INVALID, leaf)
        });
        assert_eq!(exchanged, Ok(0));
        assert_eq!(self.machine.read(address)?, 3);
        println!(
            "B15 set_wrprotect, test_and_clear_young, get_and_clear: S each; \
             set_access_flags, compare_exchange: S D I"
        );
        self.clear();
        Ok(())
    }

    fn b16_without_synchronisation(&self) {
        step::expect("S", || {
            // SAFETY: `clear` synchronises before any code uses the page.
            lazy_mmu::with::<B, _>(|_| unsafe {
                lazy_mmu::write_nosync::<B, _>(&self.slots[0], self.frame.kernel_page());
            });
        });
        println!("B16 write_nosync: S");
        self.clear();
    }

    fn b20_b21_invalidation(&self) {
        let ((), trace) = step::expect("D T d R d I", || {
            lazy_mmu::flush_tlb_kernel_range::<B>(self.page(0));
        });
        assert_eq!(trace.steps.len(), 6);
        step::expect("D t*512 d R d I", || {
            lazy_mmu::flush_tlb_kernel_pgtable::<B>(self.range.into());
        });
        // One page more needs the invalidation of everything.
        step::expect("D T d R d I", || {
            lazy_mmu::flush_tlb_kernel_range::<B>(pages(self.range.start(), 513));
        });
        Self::section("S*2 D T*2 d R d I", |mmu| {
            for slot in &self.slots[..2] {
                mmu.write(slot, self.frame.kernel_page());
            }
            mmu.flush_tlb_kernel_range(pages(self.range.start(), 2));
        });
        Self::section("S D T d R d I", |mmu| {
            mmu.write(&self.slots[0], self.frame.kernel_page());
            mmu.flush_tlb_all();
        });
        println!(
            "B20 B21 invalidation: D T*n d R d I; with two stores pending: S*2 D T*2 d R d I, \
             and the leave owes nothing"
        );
        self.clear();
    }

    fn unmapped_frames_come_back_after_it(&self) -> Result<(), Error> {
        let slot = &self.slots[0];
        let address = self.range.page(0);
        let frame_of = |old| Frame::of_descriptor(old).expect("it was valid");
        lazy_mmu::write::<B, _>(slot, self.frame.kernel_page());
        self.machine.write(address, 20)?;
        let (old, _) = Self::section("S D T d R d I", |mmu| {
            mmu.unmap(slot, self.page(0)).invalidate(mmu)
        });
        assert_eq!(frame_of(old), self.frame);
        self.is_gone(address);

        // Break-before-make maps another frame at the same address.
        lazy_mmu::write::<B, _>(slot, self.frame.kernel_page());
        assert_eq!(self.machine.read(address)?, 20);
        self.machine.write(self.other.linear(), 21)?;
        let (old, _) = Self::section("S D T d R d I S D I", |mmu| {
            mmu.break_before_make(slot, self.page(0), |_| self.other.kernel_page())
        });
        assert_eq!(frame_of(old), self.frame);
        assert_eq!(self.machine.read(address)?, 21);
        println!(
            "B20 unmap, and the frame back: S D T d R d I; break-before-make: S D T d R d I S D I"
        );
        self.clear();
        Ok(())
    }

    fn b23_a_block_is_split(&self) -> Result<(), Error> {
        lazy_mmu::write::<B, _>(self.level_2, self.block());
        self.machine.write(self.in_block(), 0x23)?;
        let table = Table::at(self.table.address());
        let first = self.block().address(Granule::Kib4);
        self.clear();
        // The table is also the table of `range`, whose pages are not used in the meantime.
        Self::section("S*512 D S D I", |mmu| {
            let child = |_, i| Frame::containing(first).add(i).kernel_page();
            // SAFETY: the children map the block's memory. The CPU does not raise conflict aborts.
            let old = unsafe { mmu.split_block(self.level_2, self.slots, table, child) };
            old.expect("it is a block");
        });
        lazy_mmu::flush_tlb_all::<B>();
        assert_eq!(self.machine.read(self.in_block())?, 0x23);
        println!("B23 a block of 2 MiB is split: S*512 D S D I, and reads the same");
        lazy_mmu::with::<B, _>(|mmu| {
            let range = Granule::Kib4.entry(2, GAP).expect("a block's address");
            mmu.unmap_table(self.level_2, range).invalidate(mmu);
        });
        self.clear();
        Ok(())
    }

    fn b24_the_linear_map(&self) -> Result<(), Error> {
        let slot = core::slice::from_ref(self.linear);
        let page = pages(self.frame.linear(), 1);
        self.machine.write(self.frame.linear(), 0x24)?;
        Self::section("S D T d R d I", |mmu| {
            mmu.set_memory_valid(slot, page, false);
        });
        assert_eq!(self.linear.load(Relaxed) & VALID, 0);
        self.is_gone(self.frame.linear());
        Self::section("S D I", |mmu| mmu.set_memory_valid(slot, page, true));
        assert_eq!(self.machine.read(self.frame.linear())?, 0x24);
        println!(
            "B24 a page of the linear map, invalid: S D T d R d I; valid: S D I, without a TLBI"
        );
        Ok(())
    }

    fn b25_preemption_stays_enabled() {
        lazy_mmu::with::<B, _>(|mmu| {
            mmu.note_store();
            assert_eq!(B::thread().preempt_count.load(Relaxed), 0);
        });
        println!("B25 inside a section the preempt count is 0");
    }

    /// Faults inside a section. The handler maps the page in its own section.
    fn c11_a_fault_inside_a_section(&self) -> Result<(), Error> {
        /// The entry in which the handler stores, and the descriptor.
        static SLOT: AtomicPtr<AtomicU64> = AtomicPtr::new(core::ptr::null_mut());
        static LEAF: AtomicU64 = AtomicU64::new(0);

        #[lazy_mmu(backend = B, mmu)]
        fn pager<B: Backend>(_: u64) {
            let leaf = Leaf(LEAF.load(Relaxed));
            // SAFETY: `SLOT` points to an entry of a live table.
            mmu.write(unsafe { &*SLOT.load(Relaxed) }, leaf);
            assert!(lazy_mmu::is_active::<B>(), "on behalf of the thread");
        }

        SLOT.store(core::ptr::from_ref(&self.slots[1]).cast_mut(), Relaxed);
        LEAF.store(self.frame.kernel_page().0, Relaxed);
        self.machine.write(self.frame.linear(), 0xc11)?;
        let (read, _) = Self::section("S*2 D I", |mmu| {
            mmu.write(&self.slots[0], self.frame.kernel_page());
            with_pager(pager::<B>, || self.machine.read(self.range.page(1)))
        });
        assert_eq!(read?, 0xc11);
        println!(
            "C11 a fault in a section with a store pending; the handler's section maps the page: \
             S*2 D I, all of it before the access is made again"
        );
        self.clear();
        Ok(())
    }

    fn k04_hooks(&self) {
        type Hooked<B> = NoPreemption<B, Of<B>>;
        let disabled = || B::thread().preempt_count.load(Relaxed) & 0xff;
        let early = |out: bool| {
            lazy_mmu::with::<Hooked<B>, _>(|mmu| {
                mmu.write(&self.slots[0], self.frame.kernel_page());
                assert_eq!(disabled(), 1);
                lazy_mmu::with::<Hooked<B>, _>(|_| assert_eq!(disabled(), 1));
                mmu.paused(|| assert_eq!(disabled(), 0));
                if out {
                    return disabled();
                }
                mmu.write(&self.slots[1], self.frame.kernel_page());
                disabled()
            })
        };
        for out in [true, false] {
            assert_eq!(early(out), 1);
            assert_eq!(disabled(), 0);
        }
        println!(
            "K04 preemption is disabled while stores are deferred: nested, paused, early return"
        );
        self.clear();
    }
}
