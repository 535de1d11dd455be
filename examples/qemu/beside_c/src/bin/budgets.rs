//! What a section costs, in instructions, atomic read-modify-writes and barriers: each budget that is met, asserted (the others
//! are in `docs/performance.md`).
//!
//! A budget that is exceeded ends it. The budgets are for LSE, a release build and a backend that
//! is named. "Per entry" is the difference between 8 entries and 512, divided.

#![no_std]
#![no_main]

use core::hint::black_box;
use core::sync::atomic::AtomicU64;

use lazy_mmu::Descriptor;
use lazy_mmu::aarch64::descriptor::{KernelLeaf, Leaf, USER};
use lazy_mmu::{
    Backend, Dynamic, Global, LazyMmu, Nested, Nesting, Outer, Pending, Task, Visible, lazy_mmu,
};
use lazy_mmu_beside_c::forms::{Form, Operation, own_byte, shared_word};
use lazy_mmu_beside_c::live::{Count, Live, PAGES};
use lazy_mmu_examples::Error;
use lazy_mmu_qemu::step;
use lazy_mmu_qemu::thread::{ByteMmu, Mmu};
use semihosting::println;

lazy_mmu::set_global_backend!(ByteMmu);

// Every guard is one word, on either place of the bits and through `Global`; a proof is none.
const WORD: usize = size_of::<usize>();
const _: () = {
    assert!(size_of::<LazyMmu<'_, Nested, ByteMmu>>() == WORD);
    assert!(size_of::<LazyMmu<'_, Nested, Mmu>>() == WORD);
    assert!(size_of::<LazyMmu<'_, Outer, ByteMmu>>() == WORD);
    assert!(size_of::<LazyMmu<'_, Outer, Mmu>>() == WORD);
    assert!(size_of::<LazyMmu<'_, Dynamic, ByteMmu>>() == WORD);
    assert!(size_of::<LazyMmu<'_, Dynamic, Mmu>>() == WORD);
    assert!(size_of::<LazyMmu<'_, Dynamic, Global>>() == WORD);
    assert!(size_of::<Task<ByteMmu>>() == WORD);
    assert!(size_of::<Pending<'_, (), ByteMmu>>() == WORD);
    assert!(size_of::<Visible<'_, '_, ByteMmu>>() == 0);
    assert!(size_of::<lazy_mmu::raw::State>() == 1);
};

lazy_mmu_qemu::program!(run);

fn run() -> Result<(), Error> {
    let live = Live::boot()?;
    println!("a guard: one word; the bits of a thread: four");
    println!("operation: instructions, atomics, barriers");
    let budgets = Budgets { live: &live };
    budgets.of::<ByteMmu>(&Budget {
        name: "own byte",
        operations: &own_byte::OPERATIONS,
        forms: &own_byte::FORMS,
        enter_leave: |ours, c| {
            ours.instructions <= 10 && 2 * ours.instructions <= c.instructions && ours.atomics == 0
        },
        one: 18,
    })?;
    budgets.of::<Mmu>(&Budget {
        name: "shared word",
        operations: &shared_word::OPERATIONS,
        forms: &shared_word::FORMS,
        enter_leave: |ours, c| {
            ours.instructions <= 13
                && ours.instructions <= c.instructions
                && ours.atomics == 2
                && c.atomics == 3
        },
        one: 22,
    })?;
    budgets.global();
    Ok(())
}

/// The operations of one place of the bits, and what they may cost.
struct Budget {
    name: &'static str,
    operations: &'static [Operation],
    forms: &'static [(&'static str, Form)],
    enter_leave: fn(Count, Count) -> bool,
    /// How many instructions a section around one store may cost, more than by hand.
    one: usize,
}

impl Budget {
    fn operation(&self, name: &str) -> &'static Operation {
        Operation::named(name, self.operations)
    }

    fn form(&self, name: &str) -> Form {
        let mut forms = self.forms.iter();
        forms
            .find(|it| it.0 == name)
            .expect("there is one of that name")
            .1
    }
}

struct Budgets<'a> {
    live: &'a Live,
}

/// Prints what was counted.
fn show(operation: &str, count: Count) {
    let (instructions, atomics, pairs) = (count.instructions, count.atomics, count.pairs);
    println!("{operation}: {instructions}, {atomics}, {pairs}");
}

impl Budgets<'_> {
    fn of<B: Backend>(&self, budget: &Budget) -> Result<(), Error> {
        println!("# the bits in: {}", budget.name);
        self.pairs::<B>(budget)?;

        let [ours, c] = self.both(budget.operation("enter_leave"), 1);
        show("enter and leave, nothing stored", ours);
        show("  in C", c);
        assert!(
            (budget.enter_leave)(ours, c) && ours.pairs == 0,
            "enter and leave: {ours:?}, in C {c:?}"
        );

        let one = budget.operation("one");
        let [ours, c] = self.both(one, 1);
        let hand = self.live.measure(one, one.forms.limit, 1);
        show("enter, one store, leave", ours);
        show("  in C", c);
        show("  by hand", hand);
        assert!(
            ours.instructions < c.instructions
                && ours.instructions - hand.instructions <= budget.one
                && ours.pairs == 1,
            "{ours:?}, in C {c:?}, by hand {hand:?}"
        );

        Self::entry("write, the type decides", 8, |pages| {
            self.ours(budget.operation("map_kernel"), pages)
        });
        Self::entry("write, the bits decide", 11, |pages| {
            self.ours(budget.operation("map"), pages)
        });
        Self::entry("  in C", usize::MAX, |pages| {
            self.both(budget.operation("map"), pages)[1]
        });
        Self::entry(
            "write by a reference to a Nested section, type",
            8,
            |pages| {
                let mut task = task::<B>();
                let mut outer = task.enter();
                let mut mmu = outer.nest();
                self.fill(&mut mmu, pages, KernelLeaf)
            },
        );
        Self::entry(
            "write by a reference to a Nested section, bits",
            11,
            |pages| {
                let mut task = task::<B>();
                let mut outer = task.enter();
                let mut mmu = outer.nest();
                self.fill(&mut mmu, pages, Leaf)
            },
        );
        Self::entry(
            "write by a reference to a Dynamic section, type",
            8,
            |pages| lazy_mmu::with::<B, _>(|mmu| self.fill(mmu, pages, KernelLeaf)),
        );
        Self::entry(
            "write by a reference to a Dynamic section, bits",
            11,
            |pages| lazy_mmu::with::<B, _>(|mmu| self.fill(mmu, pages, Leaf)),
        );
        Self::entry("write under the attribute, type", 8, |pages| {
            self.counted(|live| map_attributed::<B>(&live.slots[..pages], live.first()))
        });
        Self::entry("range write", 4, |pages| {
            self.ours(budget.operation("range"), pages)
        });
        Self::entry("range write, the type decides", 4, |pages| {
            let mut task = task::<B>();
            let mut mmu = task.enter();
            self.counted(|live| {
                mmu.write_range(&live.slots[..pages], |i| {
                    KernelLeaf(live.first() + 4096 * i as u64)
                });
            })
        });
        // Each is asked, for none of them needs the pair.
        Self::entry("range write of user pages", 8, |pages| {
            let mut task = task::<B>();
            let mut mmu = task.enter();
            self.counted(|live| {
                mmu.write_range(&live.slots[..pages], |i| {
                    Leaf(live.first() | USER | (4096 * i as u64))
                });
            })
        });

        self.nested::<B>(budget);
        self.attribute(budget);
        self.joined::<B>();
        Ok(())
    }

    /// A joined function for each entry, in a section that is open: the look at the context and
    /// at the bits, and no leave.
    fn joined<B: Backend>(&self) {
        #[inline(never)]
        fn store<B: Backend>(slot: &AtomicU64, descriptor: u64) {
            lazy_mmu::join::<B, _>(|mmu| mmu.write(slot, Leaf(descriptor)));
        }
        let [few, many] = [8, PAGES].map(|pages| {
            self.counted(|live| {
                lazy_mmu::with::<B, _>(|_| {
                    for (slot, page) in live.slots[..pages].iter().zip(0..) {
                        store::<B>(slot, live.first() + 4096 * page);
                    }
                });
            })
        });
        let per_entry = (many.instructions - few.instructions) / (PAGES - 8);
        println!("S27 a joined section with its call and one store: {per_entry} per entry");
        assert!(per_entry <= 30, "the budget is 30");
        assert_eq!((many.atomics, many.pairs), (few.atomics, 1));
    }

    /// One pair for each leave that finds something pending, and no other.
    fn pairs<B: Backend>(&self, budget: &Budget) -> Result<(), Error> {
        for operation in [
            budget.operation("map"),
            budget.operation("map_kernel"),
            budget.operation("range"),
        ] {
            for pages in 1..=PAGES {
                let count = self.ours(operation, pages);
                assert_eq!((count.stores, count.pairs), (pages, 1));
            }
            self.live.check(PAGES)?;
        }
        let user = |i: u64| Leaf(self.live.first() | USER | (4096 * i));
        let none = self.counted(|live| {
            lazy_mmu::with::<B, _>(|mmu| {
                for (slot, i) in live.slots.iter().zip(0..) {
                    mmu.write(slot, user(i));
                }
                mmu.flush();
                mmu.paused(|| ());
            });
        });
        assert_eq!((none.stores, none.pairs), (PAGES, 0));
        let [one, two] = [0, 1].map(|more| {
            self.counted(|live| {
                lazy_mmu::with::<B, _>(|mmu| {
                    mmu.write(&live.slots[0], KernelLeaf(live.first()));
                    mmu.flush();
                    mmu.flush();
                    for slot in &live.slots[..more] {
                        mmu.write(slot, KernelLeaf(live.first()));
                    }
                    mmu.paused(|| ());
                });
            })
        });
        assert_eq!((one.pairs, two.pairs), (1, 2), "flush, pause, leave");
        println!("barriers: one pair for 1 to {PAGES} stores, none where none is needed");
        Ok(())
    }

    /// A section nested in one that is in hand: no instruction at entry, so all there is is the test at leave.
    fn nested<B: Backend>(&self, budget: &Budget) {
        let mut task = task::<B>();
        let mut outer = task.enter();
        let handle = (&raw mut outer).cast();
        self.live.reset(true);
        let nothing = self.live.count(budget.form("nested"), handle, 1);
        show("nested section, nothing stored", nothing);
        let one = self.live.count(budget.form("nested_store"), handle, 1);
        show("nested section, one store", one);
        // All of them are the leave's: the guard says where the bits are, and they are tested.
        assert!(
            nothing.atomics == 0 && nothing.pairs == 0 && nothing.instructions <= NESTED,
            "{nothing:?}"
        );
        let flushed = self.live.count(budget.form("store_flush"), handle, 1);
        assert!(
            one.pairs == 1 && one.instructions <= flushed.instructions,
            "S29 entry executes nothing: {one:?}, without the section {flushed:?}"
        );
    }

    /// The attribute, with a section that has no name, and with one that has.
    fn attribute(&self, budget: &Budget) {
        let null = core::ptr::null_mut();
        let [few, many] = [8, PAGES].map(|pages| {
            self.live.reset(true);
            self.live.count(budget.form("attribute"), null, pages)
        });
        let per_entry = (many.instructions - few.instructions) / (PAGES - 8);
        // Who has no section in hand finds the thread anew, and asks whether this is an interrupt.
        println!("attribute, stores by who has no section in hand: {per_entry} per entry");
        assert!(per_entry <= 14 && many.pairs == 1);
        Self::entry("attribute with `mmu`, the bits decide", 11, |pages| {
            self.live.reset(true);
            self.live.count(budget.form("attribute_mmu"), null, pages)
        });
    }

    /// Through [`Global`]: calls, not instructions, are what it adds.
    fn global(&self) {
        println!("# Global");
        let calls = |pages: usize| {
            self.counted(|live| {
                lazy_mmu::with::<Global, _>(|mmu| {
                    for (slot, page) in live.slots[..pages].iter().zip(0..) {
                        mmu.write(slot, Leaf(live.first() + 4096 * page));
                    }
                });
            })
            .calls
                - self.counted(|_| ()).calls
        };
        let (none, one, many) = (calls(0), calls(1), calls(PAGES));
        // Two at most: at enter, and for the pair. Where the linker sees the registration, as here, they are in line.
        assert!(one <= 2 && one == many, "{none}, {one}, {many}");
        println!("calls of a section: {none} with no store, {one} with one, {many} with {PAGES}");
    }

    fn both(&self, operation: &Operation, pages: usize) -> [Count; 2] {
        let forms = operation.forms;
        [forms.ours, forms.c].map(|form| self.live.measure(operation, form, pages))
    }

    fn ours(&self, operation: &Operation, pages: usize) -> Count {
        self.live.measure(operation, operation.forms.ours, pages)
    }

    /// Counts `program`, less what calling one costs that does nothing.
    fn counted(&self, mut program: impl FnMut(&Live)) -> Count {
        self.live.reset(true);
        let nothing = stepped(self.live, &mut |_| ());
        let trace = stepped(self.live, &mut program);
        Count::of(trace, nothing.instructions)
    }

    /// What each of many entries costs more, against the budget.
    fn entry(name: &str, budget: usize, count: impl Fn(usize) -> Count) {
        const FEW: usize = 8;
        let (few, many) = (count(FEW), count(PAGES));
        let per_entry = |of: fn(Count) -> usize| {
            let more = of(many) - of(few);
            assert_eq!(more % (PAGES - FEW), 0, "{name}: each the same");
            more / (PAGES - FEW)
        };
        let instructions = per_entry(|it| it.instructions);
        let loads = per_entry(|it| it.loads);
        println!("{name}: {instructions} per entry, {loads} of them loads");
        assert!(instructions <= budget, "{name}: the budget is {budget}");
        assert_eq!(
            (
                per_entry(|it| it.stores),
                per_entry(|it| it.atomics),
                per_entry(|it| it.pairs)
            ),
            (1, 0, 0)
        );
        assert_eq!(
            (per_entry(|it| it.calls), per_entry(|it| it.register_reads)),
            (0, 0),
            "{name}: neither calls nor register reads in the loop"
        );
        if budget == 4 {
            assert_eq!(loads, 0, "{name}: no load of flags");
        }
    }

    /// Counts a loop of writes through a reference.
    fn fill<L: Nesting, B: Backend, D: Descriptor>(
        &self,
        mmu: &mut LazyMmu<'_, L, B>,
        pages: usize,
        kind: impl Fn(u64) -> D + Copy,
    ) -> Count {
        self.counted(|live| fill(mmu, &live.slots[..pages], live.first(), kind))
    }
}

/// What a nested section may cost with nothing stored: the thread's bits are found and tested.
const NESTED: usize = 3;

/// The handle of the one thread.
fn task<B: Backend>() -> Task<B> {
    // SAFETY: one at a time, which is dropped; the handlers use none.
    unsafe { Task::current() }
}

#[inline(never)]
fn stepped(live: &Live, program: &mut dyn FnMut(&Live)) -> step::Trace {
    let program = black_box(program);
    step::start();
    program(live);
    step::stop()
}

#[inline(never)]
fn fill<L: Nesting, B: Backend, D: Descriptor>(
    mmu: &mut LazyMmu<'_, L, B>,
    slots: &[AtomicU64],
    mut first: u64,
    kind: impl Fn(u64) -> D,
) {
    for slot in slots {
        mmu.write(slot, kind(first));
        first += 4096;
    }
}

#[inline(never)]
#[lazy_mmu(backend = B, mmu)]
fn map_attributed<B: Backend>(slots: &[AtomicU64], mut first: u64) {
    for slot in slots {
        mmu.write(slot, KernelLeaf(first));
        first += 4096;
    }
}
