//! The behaviours that an adopting kernel needs: functions called in loops, many entries to remove,
//! its own type of entries and its own machine, user mappings, and tables that no walker reaches.

use core::marker::PhantomData;
use core::ptr::with_exposed_provenance_mut;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use lazy_mmu::aarch64::descriptor::{Leaf, NON_GLOBAL, Table};
use lazy_mmu::aarch64::{self, El1, Granule};
use lazy_mmu::{
    Backend, Dynamic, Entry, Invalidation, LazyMmu, Machine as _, NoWalker, Scope, Task, Unmapped,
    Unreached, Wrapped, Wrapper, gather, lazy_mmu,
};
use lazy_mmu_examples::page::{ENTRIES, PAGE_SIZE};
use lazy_mmu_examples::{Error, Frame, Machine};
use semihosting::println;

use super::{GAP, Rows};
use crate::step;

/// An entry of the kernel's own type.
#[repr(transparent)]
struct PageTableEntry(u64);

// SAFETY: the type is a transparent wrapper of 64 bits, and all values of them are valid.
unsafe impl Entry for PageTableEntry {}

/// A table that is not linked yet.
struct NewTable;

// SAFETY: `k09_k10_tables` stores before it links the table, and the link orders the stores.
unsafe impl NoWalker for NewTable {}

/// The number of ranges that the kernel's own machine has received.
static RANGES: AtomicUsize = AtomicUsize::new(0);

/// A machine that receives ranges, as it would in a kernel whose CPUs invalidate by interrupt.
struct Told<B>(PhantomData<B>);

// SAFETY: the inner machine executes the invalidation.
unsafe impl<B: Backend> Wrapper for Told<B> {
    type Inner = B;

    fn invalidate(invalidations: &[Invalidation]) {
        RANGES.fetch_add(invalidations.len(), Relaxed);
        B::Machine::invalidate(invalidations);
    }
}

/// A backend of the kernel's own, with the bits of `B` and the crate's machine for EL1.
struct Own<B>(PhantomData<B>);

// SAFETY: the bits and the test are those of `B`. The kernel runs at EL1, or at EL2 as a host.
unsafe impl<B: Backend> Backend for Own<B> {
    type Storage = B::Storage;
    type Machine = El1;

    fn current() -> B::Storage {
        B::current()
    }

    fn in_interrupt() -> bool {
        B::in_interrupt()
    }
}

impl<B: Backend> Rows<B> {
    pub(super) fn s27_joined_sections(&self) {
        fn joined<B: Backend>(slot: &AtomicU64, leaf: Leaf) {
            lazy_mmu::join::<B, _>(|mmu| mmu.write(slot, leaf));
        }
        #[lazy_mmu(backend = B, join)]
        fn attributed<B: Backend>(slot: &AtomicU64, leaf: Leaf) {
            joined::<B>(slot, leaf);
        }
        #[lazy_mmu(backend = B)]
        fn nested<B: Backend>(slot: &AtomicU64, leaf: Leaf) {
            joined::<B>(slot, leaf);
        }
        #[lazy_mmu(backend = B)]
        fn all<B: Backend>(slots: &[AtomicU64], leaf: Leaf, map: fn(&AtomicU64, Leaf)) {
            for slot in slots {
                map(slot, leaf);
            }
        }

        let (slots, leaf) = (&self.slots[..64], self.frame.kernel_page());
        step::expect("S*64 D I", || all::<B>(slots, leaf, attributed::<B>));
        step::expect("(S D I)*64", || all::<B>(slots, leaf, nested::<B>));
        step::expect("S D I", || attributed::<B>(&slots[0], leaf));
        println!(
            "S27 64 functions that join, in one section: S*64 D I; \
             nested instead: (S D I)*64; one by itself: S D I"
        );
        self.clear();
    }

    pub(super) fn b34_b35_many_taken_away(&self) -> Result<(), Error> {
        const FAR: usize = 256;
        let leaf = self.frame.kernel_page();
        let map = |numbers: &[usize]| -> Result<(), Error> {
            lazy_mmu::with::<B, _>(|mmu| {
                for &number in numbers {
                    mmu.write(&self.slots[number], leaf);
                }
            });
            for &number in numbers {
                self.machine.read(self.range.page(number))?;
            }
            Ok(())
        };

        map(&[0, FAR])?;
        let mut frames = [const { None }; 2];
        step::expect("S*2 D T*2 d R d I", || {
            gather::<B, _, _>(&mut frames, |gather| {
                for number in [0, FAR] {
                    gather
                        .unmap(&self.slots[number], self.page(number), Frame::containing)
                        .expect("there is room");
                }
                gather
                    .unmap(&self.slots[1], self.page(1), Frame::containing)
                    .expect_err("it is full");
            });
        });
        assert_eq!(frames, [Some(self.frame); 2]);
        for number in [0, FAR] {
            self.is_gone(self.range.page(number));
        }
        println!("B34 a gather of two pages 1 MiB apart: S*2 D T*2 d R d I; a third is refused");

        map(&[0])?;
        self.slots[0].store(0, Relaxed);
        let page = self.page(0);
        let (frame, _) = step::expect("D T d R d I", || {
            Unmapped::<_, B>::withhold(self.frame, page, Scope::PAGES).invalidate_now()
        });
        assert_eq!(frame, self.frame);
        self.is_gone(self.range.page(0));
        println!("B35 a page that other code has taken away: its frame behind D T d R d I");
        Ok(())
    }

    pub(super) fn k09_k10_tables(&self) -> Result<(), Error> {
        let address = usize::try_from(self.new_table.linear()).expect("an address");
        let table: *mut [PageTableEntry; ENTRIES] = with_exposed_provenance_mut(address);
        // SAFETY: the table is in the linear map, and other code does not refer to it.
        let table = unsafe { &mut *table };
        let leaf = self.frame.kernel_page();
        step::expect("S*512", || {
            lazy_mmu::with::<Unreached<NewTable>, _>(|mmu| mmu.write_range(&mut *table, |_| leaf));
        });
        let link = Table::at(self.new_table.address());
        step::expect("D S D I", || lazy_mmu::write::<B, _>(self.level_2, link));
        self.machine.write(GAP, 0x27)?;
        println!("K10 a table that no walker reaches, by the same code: S*512; linked: D S D I");

        let other = &mut table[1];
        step::expect("S D I", || lazy_mmu::write::<B, _>(&mut *other, leaf));
        step::expect("S D T d R d I", || {
            let page = super::pages(GAP + PAGE_SIZE, 1);
            drop(aarch64::unmap::<B>(other, page));
        });
        assert_eq!(self.machine.read(GAP)?, 0x27);
        self.is_gone(GAP + PAGE_SIZE);
        println!("K09 an entry of the kernel's own type: S D I, taken away: S D T d R d I");

        let gap = Granule::Kib4.entry(2, GAP).expect("a block's address");
        drop(aarch64::unmap_table::<B>(self.level_2, gap));
        Ok(())
    }

    pub(super) fn p10_p11_without_a_section_or_its_level(&self) {
        trait Driver<B: Backend> {
            fn map(&self, mmu: &mut LazyMmu<'_, Dynamic, B>);
        }
        struct Page<'a>(&'a AtomicU64, Leaf);
        impl<B: Backend> Driver<B> for Page<'_> {
            fn map(&self, mmu: &mut LazyMmu<'_, Dynamic, B>) {
                mmu.write(self.0, self.1);
            }
        }

        let leaf = self.frame.kernel_page();
        let pages = [0, 1].map(|number| Page(&self.slots[number], leaf));
        let drivers: [&dyn Driver<B>; 2] = [&pages[0], &pages[1]];
        // SAFETY: this is the only handle of the thread.
        let mut task = unsafe { Task::<B>::current() };
        step::expect("S*2 D I", || {
            let mut mmu = task.enter();
            for driver in drivers {
                driver.map(&mut mmu.erase());
            }
        });
        println!("P10 two drivers behind `dyn`: S*2 D I");

        let (slot, page) = (&self.slots[0], self.page(0));
        let exchange = || {
            aarch64::break_before_make::<B, _>(slot, page, |_| leaf);
        };
        step::expect("S D T d R d I S D I", exchange);
        Self::section("S D T d R d I S*2 D I", |_| {
            exchange();
            lazy_mmu::write_range::<B, _>(&self.slots[1..2], |_| leaf);
        });
        println!(
            "P11 break-before-make without a section in hand: S D T d R d I S D I; \
             in a caller's, before another store: S D T d R d I S*2 D I"
        );
        self.clear();
    }

    pub(super) fn b36_user_mappings(&self) -> Result<(), Error> {
        let slot = &self.slots[0];
        let leaf = Leaf(self.frame.kernel_page().0 | NON_GLOBAL);
        let page = self.page(0).of_asid(0);
        let map = || -> Result<(), Error> {
            lazy_mmu::write::<B, _>(slot, leaf);
            self.machine.read(self.range.page(0))?;
            Ok(())
        };
        map()?;
        step::expect("S D T d R d I", || drop(aarch64::unmap::<B>(slot, page)));
        self.is_gone(self.range.page(0));
        map()?;
        // SAFETY: the machine has one CPU.
        let here = unsafe { page.on_this_cpu() };
        step::expect("S D h n I", || drop(aarch64::unmap::<B>(slot, here)));
        self.is_gone(self.range.page(0));
        println!("B36 a page of one ASID: S D T d R d I; on this CPU only: S D h n I");
        Ok(())
    }

    pub(super) fn k08_a_machine_of_its_own(&self) {
        RANGES.store(0, Relaxed);
        let mut values = [None; 2];
        gather::<Wrapped<Told<B>>, _, _>(&mut values, |gather| {
            for number in [0, 7] {
                gather
                    .unmap(&self.slots[number], self.page(number), |old| old)
                    .expect("there is room");
            }
        });
        let ranges = RANGES.load(Relaxed);
        assert_eq!(ranges, 2);
        println!("K08 a machine that names no instruction was given {ranges} ranges at once");

        let (slot, leaf) = (&self.slots[0], self.frame.kernel_page());
        let link = Table::at(self.new_table.address());
        step::expect("S D I", || lazy_mmu::write::<Own<B>, _>(slot, leaf));
        step::expect("S D T d R d I", || {
            drop(aarch64::unmap::<Own<B>>(slot, self.page(0)));
        });
        step::expect("D S D I", || {
            lazy_mmu::write::<Own<B>, _>(self.level_2, link);
        });
        step::expect("S D T d R d I", || {
            lazy_mmu::with::<Own<B>, _>(|mmu| {
                mmu.write(self.level_2, Table::INVALID);
                mmu.flush_tlb_all();
            });
        });
        println!(
            "K08 the machine that is given for EL1, in a backend of the kernel's own: the same"
        );
    }
}
