//! The cost of a section, in instructions, atomic read-modify-writes and barriers. Each budget that
//! the crate meets is asserted here. `docs/performance.md` has the others.
//!
//! A cost above its budget ends the program. The budgets are for LSE, a release build, and a
//! backend that the code names. "Per entry" is the difference between 8 and 512 entries, divided by
//! their number.

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

// Every guard is one word, for both places of the bits and through `Global`. A proof has no size.
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

/// The operations of one place of the bits, and their budgets.
struct Budget {
    name: &'static str,
    operations: &'static [Operation],
    forms: &'static [(&'static str, Form)],
    enter_leave: fn(Count, Count) -> bool,
    /// The number of instructions by which a section around one store may exceed the form by hand.
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

/// Prints the counts.
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
        // Each descriptor is tested, because none of them needs the pair.
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

    /// Calls a joined function, which tests the context and the bits, for each entry of a section.
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

    /// Checks that each leave with a pending store executes one pair, without other barriers.
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

    /// Counts a nested section. Its entry has no instruction, and its leave only tests the bits.
    fn nested<B: Backend>(&self, budget: &Budget) {
        let mut task = task::<B>();
        let mut outer = task.enter();
        let handle = (&raw mut outer).cast();
        self.live.reset(true);
        let nothing = self.live.count(budget.form("nested"), handle, 1);
        show("nested section, nothing stored", nothing);
        let one = self.live.count(budget.form("nested_store"), handle, 1);
        show("nested section, one store", one);
        // All instructions are those of the leave, which finds and tests the bits.
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

    /// Counts the attribute, with a section that has no name and with one that has a name.
    fn attribute(&self, budget: &Budget) {
        let null = core::ptr::null_mut();
        let [few, many] = [8, PAGES].map(|pages| {
            self.live.reset(true);
            self.live.count(budget.form("attribute"), null, pages)
        });
        let per_entry = (many.instructions - few.instructions) / (PAGES - 8);
        // Code without a guard must find the thread, and test for interrupt context.
        println!("attribute, stores by who has no section in hand: {per_entry} per entry");
        assert!(per_entry <= 14 && many.pairs == 1);
        Self::entry("attribute with `mmu`, the bits decide", 11, |pages| {
            self.live.reset(true);
            self.live.count(budget.form("attribute_mmu"), null, pages)
        });
    }

    /// Counts a section through [`Global`], which adds calls and not instructions.
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
        // At most two calls: for enter and for the pair. The linker inlines those of this program.
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

    /// Counts `program`, less the call of an empty program.
    fn counted(&self, mut program: impl FnMut(&Live)) -> Count {
        self.live.reset(true);
        let nothing = stepped(self.live, &mut |_| ());
        let trace = stepped(self.live, &mut program);
        Count::of(trace, nothing.instructions)
    }

    /// Compares the cost of each further entry with the budget.
    fn entry(name: &str, budget: usize, count: impl Fn(usize) -> Count) {
        const FEW: usize = 8;
        let (few, many) = (count(FEW), count(PAGES));
        let per_entry = |of: fn(Count) -> usize| {
            let more = of(many) - of(few);
            assert_eq!(more % (PAGES - FEW), 0, "{name}: unequal entries");
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

/// The budget of a nested section without a store: it finds and tests the thread's bits.
const NESTED: usize = 3;

/// Returns the handle of the only thread.
fn task<B: Backend>() -> Task<B> {
    // SAFETY: there is one handle at a time, which is dropped. The handlers do not use one.
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
