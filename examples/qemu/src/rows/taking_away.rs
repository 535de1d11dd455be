//! The behaviours of removed and replaced entries: how much is invalidated, and which changes of
//! the hardware are kept. Also code that runs before the first task.

use core::mem::offset_of;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use aarch64_cpu::asm::barrier;
use aarch64_cpu::registers::{ID_AA64MMFR1_EL1, Readable, SP_EL0, TCR_EL1, Writeable};
use lazy_mmu::VirtualRange;
use lazy_mmu::aarch64::Granule;
use lazy_mmu::aarch64::descriptor::{DBM, Leaf, READ_ONLY, Table};
use lazy_mmu::aarch64::{Aarch64, FlagsAt, Kernel, MaybeNull, PreemptCountAt, SpEl0};
use lazy_mmu::{Backend, lazy_mmu};
use lazy_mmu_examples::page::PAGE_SIZE;
use lazy_mmu_examples::{Error, Frame, Machine};
use semihosting::println;

use super::{GAP, Rows};
use crate::step;
use crate::thread_info::ThreadInfo;

/// Returns the range that the level-2 entry for [`GAP`] translates.
fn gap() -> VirtualRange {
    Granule::Kib4.entry(2, GAP).expect("a block's address")
}

/// A kernel whose task pointer may be null, and whose CPUs do not need repeated invalidations.
struct Early;

// SAFETY: as for `thread::Flags`, which has the same bits. The emulated CPU has no errata.
unsafe impl Kernel for Early {
    type Task = MaybeNull<SpEl0>;
    type Bits = FlagsAt<{ offset_of!(ThreadInfo, flags) }, 28>;
    type Interrupt = PreemptCountAt<{ offset_of!(ThreadInfo, preempt_count) }, 0x00ff_ff00>;

    fn needs_repeated_tlbi() -> bool {
        false
    }
}

type EarlyMmu = Aarch64<Early>;

impl<B: Backend> Rows<B> {
    pub(super) fn b30_invalidation_by_entries(&self) -> Result<(), Error> {
        lazy_mmu::write::<B, _>(self.level_2, self.block());
        self.machine.write(self.in_block(), 0x30)?;
        let (old, _) = Self::section("S D T d R d I", |mmu| {
            mmu.unmap(self.level_2, gap()).invalidate(mmu)
        });
        assert_eq!(
            Leaf(old).address(Granule::Kib4),
            self.block().address(Granule::Kib4)
        );
        self.is_gone(self.in_block());

        lazy_mmu::write::<B, _>(self.level_2, self.block());
        self.machine.write(self.in_block(), 0x31)?;
        lazy_mmu::write::<B, _>(&self.slots[0], self.frame.kernel_page());
        Self::section("S D T d R d I D S D I", |mmu| {
            mmu.break_before_make(self.level_2, gap(), |_| Table::at(self.table.address()))
        });
        assert_eq!(
            self.machine.read(GAP + self.frame.address() % PAGE_SIZE)?,
            self.first_word()?
        );
        Self::section("S D t*512 d R d I", |mmu| {
            mmu.unmap(self.level_2, gap()).invalidate(mmu)
        });
        self.is_gone(GAP);
        println!(
            "B30 unmap of a block: S D T d R d I; of a table: S D t*512 d R d I; \
             break-before-make of a block to a table: S D T d R d I D S D I"
        );
        self.clear();
        Ok(())
    }

    fn first_word(&self) -> Result<u64, Error> {
        Ok(self.machine.read(self.frame.linear())?)
    }

    pub(super) fn b31_a_repeated_invalidation(&self) {
        let page = self.page(0);
        let three = super::pages(self.range.start(), 3);
        step::expect("D T d R d I", || {
            lazy_mmu::flush_tlb_kernel_range::<B>(page);
        });
        step::expect("D T*3 d R d I", || {
            lazy_mmu::flush_tlb_kernel_range::<B>(three);
        });
        step::expect("D T d I", || {
            lazy_mmu::flush_tlb_kernel_range::<EarlyMmu>(page);
        });
        println!(
            "B31 an invalidation is repeated, once for any number: D T*n d R d I; \
             in a kernel whose CPUs do not need it: D T d I"
        );
    }

    pub(super) fn b33_a_block_that_the_hardware_makes_dirty(&self) -> Result<(), Error> {
        /// TCR_EL1.{HA, HD}: the hardware manages the access flag and the dirty state.
        const HARDWARE: u64 = 0b11 << 39;

        // A CPU without it takes a permission fault, whose handler changes the entry likewise.
        let by_hardware = ID_AA64MMFR1_EL1.read(ID_AA64MMFR1_EL1::HAFDBS) >= 2;
        let clean = Leaf(self.block().0 | DBM | READ_ONLY);
        lazy_mmu::write::<B, _>(self.level_2, clean);
        let tcr = TCR_EL1.get();
        if by_hardware {
            TCR_EL1.set(tcr | HARDWARE);
        }
        barrier::isb(barrier::SY);
        lazy_mmu::flush_tlb_all::<B>();

        let first = self.block().address(Granule::Kib4);
        let mut calls = 0;
        let split = lazy_mmu::with::<B, _>(|mmu| {
            let child = |block, i| {
                calls += 1;
                if calls == 1 {
                    if !by_hardware {
                        self.level_2.fetch_and(!READ_ONLY, Relaxed);
                        lazy_mmu::flush_tlb_all::<B>();
                    }
                    // The block becomes dirty while it is split.
                    self.machine
                        .write(self.in_block(), 0x33)
                        .expect("it is mapped");
                }
                let state = block & (DBM | READ_ONLY);
                let page = Frame::containing(first).add(i).kernel_page().0;
                Leaf(page & !READ_ONLY | state)
            };
            let table = Table::at(self.table.address());
            // SAFETY: the children map the block's memory. The CPU does not raise conflict aborts.
            unsafe { mmu.split_block(self.level_2, self.slots, table, child) }
        });
        let old = split.expect("it is a block");
        assert_eq!(old & (DBM | READ_ONLY), DBM, "dirty");
        assert_eq!(
            calls,
            2 * self.slots.len(),
            "the children were filled again"
        );
        let dirty = |slot: &AtomicU64| slot.load(Relaxed) & (DBM | READ_ONLY) == DBM;
        assert!(self.slots.iter().all(dirty), "and they are dirty too");
        lazy_mmu::with::<B, _>(|mmu| {
            let table = Table::at(self.table.address());
            // SAFETY: the call changes nothing.
            let again =
                unsafe { mmu.split_block(self.level_2, self.slots, table, |_, _| Leaf::INVALID) };
            assert_eq!(again, Err(table.0), "it is split already");
        });

        TCR_EL1.set(tcr);
        barrier::isb(barrier::SY);
        lazy_mmu::flush_tlb_all::<B>();
        assert_eq!(self.machine.read(self.in_block())?, 0x33);
        println!(
            "B33 a block that becomes dirty while its children are filled: \
             they are filled again, dirty; a second split fails"
        );
        lazy_mmu::with::<B, _>(|mmu| {
            mmu.unmap(self.level_2, gap()).invalidate(mmu);
        });
        self.clear();
        Ok(())
    }

    pub(super) fn c13_before_the_first_task(&self) {
        #[lazy_mmu(backend = EarlyMmu, mmu)]
        fn map(slot: &AtomicU64, leaf: Leaf) {
            mmu.write(slot, leaf);
            lazy_mmu::write::<EarlyMmu, _>(slot, leaf);
        }

        let task = SP_EL0.get();
        SP_EL0.set(0);
        let ((), trace) = step::expect("(S D I)*2", || {
            map(&self.slots[0], self.frame.kernel_page());
        });
        SP_EL0.set(task);
        assert_eq!(trace.atomics, 0, "the bits do not change");
        step::expect("S*2 D I", || map(&self.slots[0], self.frame.kernel_page()));
        println!(
            "C13 before the first task, SP_EL0 is null: (S D I)*2, each store is immediate; \
             with a task: S*2 D I"
        );
        self.clear();
    }
}
