//! The behaviours of plain stores in sections.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use lazy_mmu::Descriptor;
use lazy_mmu::aarch64::descriptor::{Leaf, PXN, USER, UXN, UxnLeaf, VALID};
use lazy_mmu::{Dynamic, Eager, LazyMmu, Machine as _, Task};
use lazy_mmu_examples::trace::{Counts, Step};
use lazy_mmu_examples::{Error, Machine};
use semihosting::println;

use super::Rows;
use crate::step::{self, Trace};
use crate::thread::{Mmu, Place};

impl<B: Place> Rows<B> {
    /// Shows the behaviours of plain stores in sections.
    pub fn plain(&self) -> Result<(), Error> {
        println!("K01 K02 the bits in: {}", B::PLACE);
        self.b02_outside();
        self.b03_n_stores_one_pair()?;
        self.b04_leaf_rule();
        self.b09_range_write()?;
        self.b17_flush_twice();
        self.b18_no_rmw_once_pending();
        self.b19_nested_leave_makes_visible()?;
        self.b22_read_back();
        self.s25_eager_compiles_to_nothing();
        self.c01_c03_interrupts_are_immediate();
        Ok(())
    }

    /// Steps through `program`, checks the order of its steps, and checks B01.
    fn expect_pairs(expected: &str, program: impl FnOnce()) -> Trace {
        let ((), trace) = step::expect(expected, program);
        let counts = Counts::of(trace.steps);
        assert!(
            counts.pairs == counts.dsb_ishst && counts.pairs == counts.isb,
            "B01: a barrier is outside a pair"
        );
        trace
    }

    /// Does the same as [`expect_pairs`](Self::expect_pairs), for a program in a section.
    fn section_of_pairs(
        expected: &str,
        program: impl FnOnce(&mut LazyMmu<'_, Dynamic, B>),
    ) -> Trace {
        Self::expect_pairs(expected, || lazy_mmu::with::<B, _>(program))
    }

    /// Stores in interrupt context, inside a section with a pending store.
    fn c01_c03_interrupts_are_immediate(&self) {
        let leaf = self.frame.kernel_page();
        let bits = || {
            (
                B::thread().flags.load(Relaxed),
                B::thread().lazy_mmu.load(Relaxed),
            )
        };
        Self::section_of_pairs("S*2 D I S (D I)*2", |mmu| {
            mmu.write(&self.slots[0], leaf);
            let before = bits();
            // One level of hardirq.
            B::thread().preempt_count.store(1 << 16, Relaxed);
            lazy_mmu::with::<B, _>(|handler| handler.write(&self.slots[1], leaf));
            lazy_mmu::write::<B, _>(&self.slots[2], leaf);
            B::thread().preempt_count.store(0, Relaxed);
            assert_eq!(bits(), before, "the interrupted thread's bits");
        });
        println!(
            "C01 C02 C03 C04 an interrupt in a section with something pending: \
             S, (S D I) (S D I), D I"
        );
        self.clear();
    }

    fn b02_outside(&self) {
        Self::expect_pairs("S D I", || {
            lazy_mmu::write::<B, _>(&self.slots[0], self.frame.kernel_page());
        });
        println!("B01 B02 a valid kernel leaf outside a section: S D I");
        let leaf = self.frame.kernel_page().0;
        Self::expect_pairs("S D I", || b01_store_outside(&self.slots[0], leaf));
        Self::expect_pairs("S*512 D I", || b01_stores_in_a_section(self.slots, leaf));
        self.clear();
    }

    fn b03_n_stores_one_pair(&self) -> Result<(), Error> {
        let mut pairs = 0;
        for n in 1..=self.slots.len() {
            let trace = Self::expect_pairs("", || {
                lazy_mmu::with::<B, _>(|mmu| {
                    for slot in &self.slots[..n] {
                        mmu.write(slot, self.frame.kernel_page());
                    }
                });
            });
            let counts = Counts::of(trace.steps);
            assert_eq!((counts.stores, counts.pairs), (n, 1));
            assert!(trace.steps[..n].iter().all(|&it| it == Step::Store));
            pairs += counts.pairs;
            // The MMU walks the entries: the first page and the last page show the frame.
            self.machine.write(self.range.page(n - 1), n as u64)?;
            assert_eq!(self.machine.read(self.range.start())?, n as u64);
            self.clear();
        }
        println!(
            "B01 B03 n stores in a section, n from 1 to 512: \
             n stores, one pair each ({pairs} pairs)"
        );
        Ok(())
    }

    fn b04_leaf_rule(&self) {
        let expected = |needs: bool| if needs { "S D I" } else { "S" };
        for combination in 0..16 {
            let rule = [VALID, USER, UXN, PXN];
            let mut leaf = self.frame.kernel_page().0 & !(VALID | USER | UXN | PXN);
            for (number, bit) in rule.into_iter().enumerate() {
                leaf |= if combination >> number & 1 != 0 {
                    bit
                } else {
                    0
                };
            }
            let needs = leaf & (VALID | USER) == VALID;
            Self::expect_pairs(expected(needs), || {
                lazy_mmu::with::<B, _>(|mmu| mmu.write(&self.slots[0], Leaf(leaf)));
            });
            Self::expect_pairs(expected(needs && leaf & UXN != 0), || {
                lazy_mmu::with::<B, _>(|mmu| mmu.write(&self.slots[0], UxnLeaf(leaf)));
            });
            self.clear();
        }
        println!(
            "B04 B05 B06 B07 the leaf rule, all 16 combinations of VALID, USER, UXN, PXN: \
             4 of them S D I, 12 S; Linux's rule: 2 of them S D I, 14 S"
        );
    }

    fn b09_range_write(&self) -> Result<(), Error> {
        // Only the first entry needs the pair.
        let trace = Self::section_of_pairs("S*512 D I", |mmu| {
            mmu.write_range(self.slots, |i| {
                if i == 0 {
                    self.frame.kernel_page()
                } else {
                    Leaf::INVALID
                }
            });
        });
        assert!(
            trace.atomics <= 4,
            "one decision: {} atomics",
            trace.atomics
        );
        self.machine.write(self.range.start(), 9)?;
        println!("B09 a range write of 512, only its first entry valid: S*512 D I");
        self.clear();
        Ok(())
    }

    fn b17_flush_twice(&self) {
        Self::section_of_pairs("S D I", |mmu| {
            mmu.flush();
            mmu.write(&self.slots[0], self.frame.kernel_page());
            mmu.flush();
            mmu.flush();
        });
        println!("B17 flush, store, flush, flush, leave: S D I");
        self.clear();
    }

    fn b18_no_rmw_once_pending(&self) {
        let atomics = |n: usize| {
            let ((), trace) = step::trace(|| {
                lazy_mmu::with::<B, _>(|mmu| {
                    for slot in &self.slots[..n] {
                        mmu.write(slot, self.frame.kernel_page());
                    }
                });
            });
            self.clear();
            trace.atomics
        };
        let (one, many) = (atomics(1), atomics(100));
        assert_eq!(
            one, many,
            "further stores do not execute atomic read-modify-writes"
        );
        println!("B18 atomic read-modify-writes in a section: {one} with 1 store, {many} with 100");
    }

    fn b19_nested_leave_makes_visible(&self) -> Result<(), Error> {
        // SAFETY: this is the thread's only handle, and handlers do not use it.
        let mut task = unsafe { Task::<B>::current() };
        let mut outer = task.enter();
        outer.write(&self.slots[1], self.frame.kernel_page());
        let mut inner = outer.nest();
        inner.write(&self.slots[0], self.frame.kernel_page());
        inner.leave();
        // This is between the nested leave and the outermost one.
        assert!(lazy_mmu::is_active::<B>());
        self.machine.write(self.range.page(0), 0x19)?;
        assert_eq!(self.machine.read(self.range.page(1))?, 0x19);
        outer.leave();
        println!("B19 a page mapped in a nested section is used before the outer leave");
        self.clear();
        Ok(())
    }

    fn b22_read_back(&self) {
        let leaf = self.frame.kernel_page();
        lazy_mmu::with::<B, _>(|mmu| {
            mmu.write(&self.slots[0], leaf);
            assert_eq!(mmu.read(&self.slots[0]), leaf.0);
        });
        println!("B22 a read inside a section sees the store");
        self.clear();
    }

    fn s25_eager_compiles_to_nothing(&self) {
        // The function is not inlined, so the same code surrounds each program. The black box makes
        // each call the same indirect call.
        #[inline(never)]
        fn instructions(program: &dyn Fn() -> u32) -> usize {
            step::trace(core::hint::black_box(program)).1.instructions
        }
        // The numbers differ, so that the compiler does not merge the two functions.
        let nothing = instructions(&|| 1);
        let section = instructions(&|| lazy_mmu::with::<Eager<B::Machine>, _>(|_| 2));
        assert_eq!(section, nothing, "enter and leave of the eager backend");
        let slot = &self.slots[0];
        let leaf = self.frame.kernel_page();
        let by_hand = instructions(&move || {
            slot.store(leaf.0, Relaxed);
            B::Machine::barrier();
            3
        });
        let stored = instructions(&move || {
            lazy_mmu::with::<Eager<B::Machine>, _>(|mmu| mmu.write(slot, Always(leaf.0)));
            4
        });
        assert_eq!(stored, by_hand, "only a store and its pair");
        println!("S25 an eager section compiles to nothing, its store to str, dsb ishst, isb");
        self.clear();
    }
}

// `cargo xtask qemu` finds these functions in the disassembly: their names begin with `b01_`.

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn b01_store_outside(slot: &AtomicU64, leaf: u64) {
    lazy_mmu::write::<Mmu, _>(slot, Leaf(leaf));
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn b01_stores_in_a_section(slots: &[AtomicU64; 512], leaf: u64) {
    lazy_mmu::with::<Mmu, _>(|mmu| mmu.write_range(slots, |_| Leaf(leaf)));
}

/// A descriptor whose type says that it needs the pair.
#[derive(Clone, Copy)]
struct Always(u64);

impl Descriptor for Always {
    fn bits(self) -> u64 {
        self.0
    }

    fn needs_barrier(self) -> bool {
        true
    }

    fn points_to_table(self) -> bool {
        false
    }
}
