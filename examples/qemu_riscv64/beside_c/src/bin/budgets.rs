//! The cost of a section in instructions, beside the same state machine in C. The budgets that the
//! crate meets are asserted here.
//!
//! The counter is `instret`, which is exact under QEMU's `-icount`. Each operation is counted
//! twice, and the counts must be equal. A cost above its budget ends the program. The budgets are
//! for a release build, a backend that the code names, and one hart. "Per entry" is the difference
//! between 8 and 512 entries, divided by 504.
//!
//! The limit is the form in C: the crate must not need more instructions. The exceptions are stores
//! by code that has no guard ([`NO_GUARD`]) and joined sections ([`JOINED`]). The budgets of the
//! program for aarch64 hold too, with these additions:
//!
//! - enter and leave, without a store: 2 more (byte) and 3 more (word). A test of one bit is `andi`
//!   and a branch. On aarch64 it is `tbz`. The mask for the atomic that clears bits needs one
//!   instruction more, because RISC-V does not have `ldclr`.
//! - a section with one store, over the form by hand: 3 and 4 more, for the same reasons.
//! - an entry of a range write ([`RANGE`]) and an empty nested section ([`NESTED`]): 1 more.
//! - a joined section with its call and one store: 7 more than 30.

#![no_std]
#![no_main]

use core::ffi::c_void;
use core::fmt::Display;
use core::hint::black_box;
use core::slice;
use core::sync::atomic::AtomicU64;

use lazy_mmu::riscv64::descriptor::USER;
use lazy_mmu::{Backend, Descriptor, Global, LazyMmu, Nesting, Outer, Task};
use lazy_mmu_beside_c_riscv64::arch::{self, ByteMmu, KernelLeaf, Leaf, Mmu, NEXT_PAGE};
use lazy_mmu_beside_c_riscv64::forms::{Form, Operation, own_byte, shared_word};
use lazy_mmu_beside_c_riscv64::live::{Live, PAGES, counted};
use lazy_mmu_examples::Error;
use semihosting::println;

lazy_mmu::set_global_backend!(ByteMmu);

// A guard is one word, for both places of the bits.
const _: () = {
    assert!(size_of::<LazyMmu<'_, Outer, ByteMmu>>() == size_of::<usize>());
    assert!(size_of::<LazyMmu<'_, Outer, Mmu>>() == size_of::<usize>());
    assert!(size_of::<Task<ByteMmu>>() == size_of::<usize>());
};

lazy_mmu_qemu_riscv64::program!(run);

fn run() -> Result<(), Error> {
    let live = Live::boot()?;
    let budgets = Budgets { live: &live };
    budgets.empty();
    budgets.of::<ByteMmu>(&Budget {
        name: "own byte",
        operations: &own_byte::OPERATIONS,
        forms: &own_byte::FORMS,
        enter_leave: 12,
        one: 21,
        c_nested: c_nested_byte,
        c_joined: c_joined_byte,
    })?;
    budgets.of::<Mmu>(&Budget {
        name: "flags word",
        operations: &shared_word::OPERATIONS,
        forms: &shared_word::FORMS,
        enter_leave: 16,
        one: 26,
        c_nested: c_nested_word,
        c_joined: c_joined_word,
    })?;
    budgets.global();
    Ok(())
}

/// The operations of one place of the bits, and their budgets.
struct Budget {
    name: &'static str,
    operations: &'static [Operation],
    forms: &'static [(&'static str, Form)],
    /// The number of instructions of enter and leave through the handle.
    enter_leave: u64,
    /// The number of instructions by which a section around one store may exceed the form by hand.
    one: u64,
    /// A nested section for each entry, in C.
    c_nested: Form,
    /// A joined section for each entry, in C.
    c_joined: Form,
}

/// Declares forms that only C has. The programs `comparison` do not count them.
macro_rules! forms_in_c {
    ($($name:ident)*) => {
        unsafe extern "C" {$(
            fn $name(
                handle: *mut c_void,
                slots: *const AtomicU64,
                linear: *const AtomicU64,
                pages: usize,
                first: u64,
            );
        )*}
    };
}

forms_in_c!(c_nested_byte c_nested_word c_joined_byte c_joined_word);

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

impl Budgets<'_> {
    /// Checks the counter: it counts an empty form as 0, and some instructions as so many.
    fn empty(&self) {
        let null = core::ptr::null_mut();
        self.live.reset(true);
        assert_eq!(self.live.count(arch::nothing, null, 1), 0);
        let [one, two] = [1, 2].map(|pages| self.live.count(arch::limit_map, null, pages));
        // Two instructions for the end, four for each page, and the fence.
        assert_eq!((one, two), (2 + 4 + 1, 2 + 2 * 4 + 1));
        println!("an empty form: 0 instructions; a loop by hand: {one} and {two}, as written");
    }

    fn of<B: Backend>(&self, budget: &Budget) -> Result<(), Error> {
        println!("# the bits in: {}", budget.name);
        let [ours, c, _] = self.forms(budget.operation("enter_leave"), 1);
        println!("enter and leave, nothing stored: {ours}");
        println!("  in C: {c}");
        assert!(
            ours <= budget.enter_leave && ours <= c,
            "enter and leave: {ours}, in C {c}"
        );

        let [ours, c, hand] = self.forms(budget.operation("one"), 1);
        self.live.check(1)?;
        println!("enter, one store, leave: {ours}");
        println!("  in C: {c}");
        println!("  by hand: {hand}");
        assert!(
            ours < c && ours - hand <= budget.one,
            "one store: {ours}, in C {c}, by hand {hand}"
        );

        let form = |name, which: usize| {
            let operation = budget.operation(name);
            move |pages| self.forms(operation, pages)[which]
        };
        for (name, what, limit) in [
            ("map_kernel", "write, the type decides", 8),
            ("map", "write, the bits decide", 11),
            ("range", "range write", RANGE),
        ] {
            let ours = Self::entry(what, limit, form(name, 0));
            let c = Self::entry("  in C", u64::MAX, form(name, 1));
            Self::entry("  by hand", 4, form(name, 2));
            assert!(ours <= c, "{what}: in C {c}");
            self.live.check(PAGES)?;
        }
        for kind in [Kind::Type, Kind::Bits] {
            let budget = if kind == Kind::Type { 8 } else { 11 };
            let what = kind.name();
            Self::entry(
                format_args!("write to a Nested section, {what}"),
                budget,
                |pages| {
                    let mut task = task::<B>();
                    let mut outer = task.enter();
                    let mut mmu = outer.nest();
                    self.fill(&mut mmu, pages, kind)
                },
            );
            Self::entry(
                format_args!("write to a closure's section, {what}"),
                budget,
                |pages| lazy_mmu::with::<B, _>(|mmu| self.fill(mmu, pages, kind)),
            );
        }
        // Each descriptor is tested, because none of them needs the barrier.
        Self::entry("range write of user pages", 8, |pages| {
            let mut task = task::<B>();
            let mut mmu = task.enter();
            self.counted(|live| {
                mmu.write_range(&live.slots[..pages], |i| {
                    Leaf(live.first() | USER | (NEXT_PAGE * i as u64))
                });
            })
        });
        self.nested::<B>(budget);
        self.attribute::<B>(budget);
        self.joined::<B>(budget);
        Ok(())
    }

    /// Counts a nested section. Its entry has no instruction, and its leave only tests the bits.
    fn nested<B: Backend>(&self, budget: &Budget) {
        let mut task = task::<B>();
        let mut outer = task.enter();
        let handle = (&raw mut outer).cast();
        self.live.reset(true);
        let count = |name| self.live.count(budget.form(name), handle, 1);
        let [nothing, one, flushed] = ["nested", "nested_store", "store_flush"].map(count);
        println!("S29 nested section, nothing stored: {nothing}");
        println!("nested section, one store: {one}");
        // All instructions are those of the leave, which finds and tests the bits.
        assert!(
            nothing <= NESTED && one <= flushed,
            "without the section {flushed}"
        );
        drop(outer);
        let ours = Self::entry("a nested section for each store", u64::MAX, |pages| {
            self.counted(|live| {
                let mut outer = task.enter();
                for (slot, page) in live.slots[..pages].iter().zip(0..) {
                    let mut inner = outer.nest();
                    inner.write(slot, KernelLeaf(live.first() + NEXT_PAGE * page));
                    inner.leave();
                }
            })
        });
        let c = Self::entry("  in C", u64::MAX, |pages| {
            self.only_in_c(budget.c_nested, pages)
        });
        assert!(ours <= c, "a nested section for each store: in C {c}");
    }

    /// Counts a form that only C has, which takes no handle.
    fn only_in_c(&self, form: Form, pages: usize) -> u64 {
        self.live.reset(true);
        self.live.count(form, core::ptr::null_mut(), pages)
    }

    /// Counts the attribute, with a section that has no name and with one that has a name, and the
    /// closure form.
    fn attribute<B: Backend>(&self, budget: &Budget) {
        let operation = budget.operation("map");
        let null = core::ptr::null_mut();
        let count = |name, pages| {
            self.live.reset(true);
            self.live.count(budget.form(name), null, pages)
        };
        // Code without a guard must find the thread, and test for interrupt context.
        let what = "attribute, stores by who has no section in hand";
        Self::entry(what, 14, |pages| count("attribute", pages));
        let what = "attribute with `mmu`, the bits decide";
        Self::entry(what, 11, |pages| count("attribute_mmu", pages));
        let c = self.live.measure(operation, operation.forms.c, 1);
        for (name, form, more) in [
            ("attribute", budget.form("attribute"), NO_GUARD),
            ("attribute with `mmu`", budget.form("attribute_mmu"), 0),
            ("closure", closure::<B>, 0),
        ] {
            self.live.reset(true);
            let ours = self.live.count(form, null, 1);
            println!("{name}, a section with one store: {ours}");
            assert!(ours <= c + more, "{name}: in C {c}");
        }
        println!("  in C: {c}");
    }

    /// Calls a joined function, which tests the context and the bits, for each entry of a section.
    fn joined<B: Backend>(&self, budget: &Budget) {
        #[inline(never)]
        fn store<B: Backend>(slot: &AtomicU64, descriptor: u64) {
            lazy_mmu::join::<B, _>(|mmu| mmu.write(slot, Leaf(descriptor)));
        }
        let what = "S27 a joined section with its call and one store";
        let ours = Self::entry(what, u64::MAX, |pages| {
            self.counted(|live| {
                lazy_mmu::with::<B, _>(|_| {
                    for (slot, page) in live.slots[..pages].iter().zip(0..) {
                        store::<B>(slot, live.first() + NEXT_PAGE * page);
                    }
                });
            })
        });
        let c = Self::entry("  in C", u64::MAX, |pages| {
            self.only_in_c(budget.c_joined, pages)
        });
        assert!(ours <= c + JOINED, "{what}: in C {c}");
    }

    /// Counts a section through [`Global`], which adds calls and jumps to the same section of its
    /// backend.
    fn global(&self) {
        println!("# Global");
        let count = |pages| {
            let [named, global] = [fill_in::<ByteMmu>, fill_in::<Global>]
                .map(|fill| self.counted(|live| fill(&live.slots[..pages], live.first())));
            println!("{pages} stores: {global}; with the backend's name: {named}");
            global - named
        };
        let more = [1, 2, PAGES].map(count);
        assert!(
            more[0] <= 8,
            "at most two calls, each with its return, a jump and the address"
        );
        assert_eq!(more, [more[0]; 3], "a store has no call");
    }

    /// Returns the counts of the crate, of C, and by hand.
    fn forms(&self, operation: &Operation, pages: usize) -> [u64; 3] {
        let forms = operation.forms;
        [forms.ours, forms.c, forms.limit].map(|it| self.live.measure(operation, it, pages))
    }

    /// Counts `program`, less an empty program.
    fn counted(&self, mut program: impl FnMut(&Live)) -> u64 {
        self.live.reset(true);
        let nothing = run_counted(self.live, &mut |_| ());
        run_counted(self.live, &mut program) - nothing
    }

    /// Compares the cost of each further entry with the budget.
    fn entry(name: impl Display, budget: u64, mut count: impl FnMut(usize) -> u64) -> u64 {
        const FEW: usize = 8;
        let (few, many) = (count(FEW), count(PAGES));
        let again = (count(FEW), count(PAGES));
        assert_eq!((few, many), again, "{name}: the counter is exact");
        let more = many - few;
        let entries = (PAGES - FEW) as u64;
        assert_eq!(more % entries, 0, "{name}: unequal entries");
        let each = more / entries;
        println!("{name}: {each} per entry");
        assert!(each <= budget, "{name}: the budget is {budget}");
        each
    }

    /// Counts a loop of writes through a reference.
    fn fill<L: Nesting, B: Backend>(
        &self,
        mmu: &mut LazyMmu<'_, L, B>,
        pages: usize,
        kind: Kind,
    ) -> u64 {
        self.counted(|live| match kind {
            Kind::Type => fill(mmu, &live.slots[..pages], live.first(), KernelLeaf),
            Kind::Bits => fill(mmu, &live.slots[..pages], live.first(), Leaf),
        })
    }
}

/// What decides whether a store needs the barrier.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Type,
    Bits,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Type => "type",
            Self::Bits => "bits",
        }
    }
}

/// The budget of an entry of a range write. It is one instruction more than the loop by hand, which
/// compares the pointer to the entry with its end. LLVM decrements a counter instead. On aarch64
/// the store increments the pointer.
const RANGE: u64 = 5;

/// The number of instructions by which the attribute's section with one store may exceed the
/// section in C, if the code that stores has no guard. C has no such form.
const NO_GUARD: u64 = 3;

/// The number of instructions by which a joined section may exceed the one in C. The guard points
/// to bits of its own if the section is inert, and the compiler loads their address in every
/// section.
const JOINED: u64 = 6;

/// The budget of a nested section without a store: it finds and tests the thread's bits. The test
/// is two instructions.
const NESTED: u64 = 4;

/// Returns the handle of the only thread.
fn task<B: Backend>() -> Task<B> {
    // SAFETY: there is one handle at a time, which is dropped. The handlers do not use one.
    unsafe { Task::current() }
}

#[inline(never)]
fn run_counted(live: &Live, program: &mut dyn FnMut(&Live)) -> u64 {
    let program = black_box(program);
    counted(|| program(live))
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
        first += NEXT_PAGE;
    }
}

/// Maps pages in a closure's section, as the form `attribute_mmu` does in a function's.
///
/// # Safety
///
/// `slots` points to `pages` entries.
unsafe extern "C" fn closure<B: Backend>(
    _: *mut c_void,
    slots: *const AtomicU64,
    _: *const AtomicU64,
    pages: usize,
    mut first: u64,
) {
    // SAFETY: the caller promises it.
    let slots = unsafe { slice::from_raw_parts(slots, pages) };
    lazy_mmu::with::<B, _>(|mmu| {
        for slot in slots {
            mmu.write(slot, Leaf(first));
            first += NEXT_PAGE;
        }
    });
}

/// Maps pages in a section of the backend `B`.
#[inline(never)]
fn fill_in<B: Backend>(slots: &[AtomicU64], first: u64) {
    lazy_mmu::with::<B, _>(|mmu| {
        for (slot, page) in slots.iter().zip(0..) {
            mmu.write(slot, Leaf(first + NEXT_PAGE * page));
        }
    });
}
