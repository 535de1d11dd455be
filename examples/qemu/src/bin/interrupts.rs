//! C05: an interrupt at every instruction boundary of every operation that the CPU executes.
//!
//! Each operation runs once without an interrupt. It then runs once for each boundary, with an
//! interrupt of the GIC there. The handler opens a section by the attribute, maps a page, reads
//! through the mapping, and leaves. The bits, the tables and the program's barriers must be those
//! of the run without an interrupt. Further runs have two interrupts, at every pair of boundaries.
//! In the last runs, a synchronous exception replaces the interrupt, and its section is nested in
//! the program's.
//!
//! The last operation is the scenario for which sections nest: it maps and zaps pages, with
//! DEBUG_PAGEALLOC. The first word behind the level is the number of pages. The default is two.

#![no_std]
#![no_main]

use core::hint::black_box;
use core::marker::PhantomData;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use arrayvec::ArrayVec;
use lazy_mmu::aarch64::descriptor::Leaf;
use lazy_mmu::{Backend, Task, lazy_mmu, write};
use lazy_mmu_examples::page::USER_BASE;
use lazy_mmu_examples::trace::{Counts, Step};
use lazy_mmu_examples::{Error, Machine, MemoryManager, PageRange};
use lazy_mmu_qemu::arena::Arena;
use lazy_mmu_qemu::step::{Injection, Trace};
use lazy_mmu_qemu::thread::{ByteMmu, Mmu, OTHER_THREAD, Place, THREAD};
use lazy_mmu_qemu::thread_info::FOREIGN_FLAGS;
use lazy_mmu_qemu::virt::Virt;
use lazy_mmu_qemu::{interrupts, mapper, program, step};
use semihosting::println;

/// The number of entries that the programs change. The handler's entry follows them.
const PROGRAMS: usize = 8;
const PAGES: usize = PROGRAMS + 1;

lazy_mmu_qemu::program!(run);

fn run() -> Result<(), Error> {
    // Both runs can share a backend for the handler, which does not use the bits in an interrupt.
    interrupts::init(1, || mapper::map_and_use::<Mmu>(true));
    let total = everything::<Mmu>(|| mapper::map_and_use::<Mmu>(false))?
        + everything::<ByteMmu>(|| mapper::map_and_use::<ByteMmu>(false))?;
    println!("C05 {total} injections in all, none lost");
    Ok(())
}

/// The entries, the descriptor and the addresses that the programs use.
struct Env<B> {
    slots: &'static [AtomicU64],
    leaf: Leaf,
    range: PageRange,
    backend: PhantomData<B>,
}

/// An operation: it prepares, steps through its subject, and tidies up.
type Operation<B> = (&'static str, fn(&Env<B>) -> Trace);

/// Steps through `program` only.
fn stepped<R>(program: impl FnOnce() -> R) -> (R, Trace) {
    step::start();
    let result = black_box(program)();
    (result, step::stop())
}

/// Returns the handle of the only thread.
fn task<B: Backend>() -> Task<B> {
    // SAFETY: each operation makes one handle, and drops it. The handlers do not use it.
    unsafe { Task::current() }
}

fn operations<B: Backend>() -> [Operation<B>; 14] {
    [
        ("enter", |_| {
            let mut task = task::<B>();
            let (section, trace) = stepped(|| task.enter());
            drop(section);
            trace
        }),
        ("store", |env| {
            let mut task = task::<B>();
            let mut section = task.enter();
            stepped(|| section.write(&env.slots[0], env.leaf)).1
        }),
        ("store, with one pending", |env| {
            let mut task = task::<B>();
            let mut section = task.enter();
            section.write(&env.slots[0], env.leaf);
            stepped(|| section.write(&env.slots[1], env.leaf)).1
        }),
        ("store without a section", |env| {
            stepped(|| lazy_mmu::write::<B, _>(&env.slots[0], env.leaf)).1
        }),
        ("range write", |env| {
            let mut task = task::<B>();
            let mut section = task.enter();
            stepped(|| section.write_range(&env.slots[..4], |_| env.leaf)).1
        }),
        ("flush", |env| {
            let mut task = task::<B>();
            let mut section = task.enter();
            section.write(&env.slots[0], env.leaf);
            let ((), trace) = stepped(|| {
                section.flush();
            });
            trace
        }),
        ("nested enter, store and leave", |env| {
            let mut task = task::<B>();
            let mut section = task.enter();
            let ((), trace) = stepped(|| {
                let mut inner = section.nest();
                inner.write(&env.slots[0], env.leaf);
                inner.leave();
            });
            trace
        }),
        ("leave", |env| {
            let mut task = task::<B>();
            let mut section = task.enter();
            section.write(&env.slots[0], env.leaf);
            stepped(|| drop(section)).1
        }),
        ("leave, with nothing pending", |_| {
            let mut task = task::<B>();
            let section = task.enter();
            stepped(|| drop(section)).1
        }),
        ("pause, store and resume", |env| {
            let mut task = task::<B>();
            let mut section = task.enter();
            section.write(&env.slots[0], env.leaf);
            stepped(|| section.paused(|| write::<B, _>(&env.slots[1], env.leaf))).1
        }),
        ("the leave of a forgotten guard", |env| {
            let mut task = task::<B>();
            let mut section = task.enter();
            section.write(&env.slots[0], env.leaf);
            core::mem::forget(section);
            let (idle, trace) = stepped(|| task.check_idle());
            idle.expect("its forgotten section is left");
            trace
        }),
        ("TLB invalidation", |env| {
            let mut task = task::<B>();
            let mut section = task.enter();
            section.write(&env.slots[0], env.leaf);
            let range = env.range.into();
            let ((), trace) = stepped(|| {
                section.flush_tlb_kernel_range(range);
            });
            trace
        }),
        ("a closure's section, with all of it", |env| {
            let ((), trace) = stepped(|| {
                lazy_mmu::with::<B, _>(|mmu| {
                    mmu.write(&env.slots[0], env.leaf);
                    lazy_mmu::with::<B, _>(|inner| inner.write(&env.slots[1], env.leaf));
                    mmu.paused(|| lazy_mmu::write::<B, _>(&env.slots[2], env.leaf));
                    mmu.write(&env.slots[3], env.leaf);
                });
            });
            trace
        }),
        ("an attributed function", |env| {
            #[lazy_mmu(backend = B)]
            fn map<B: Backend>(slot: &AtomicU64, leaf: Leaf) {
                lazy_mmu::write::<B, _>(slot, leaf);
            }
            stepped(|| map::<B>(&env.slots[0], env.leaf)).1
        }),
    ]
}

/// The state that must be the same after every injection.
#[derive(PartialEq, Debug)]
struct Left {
    flags: [u64; 2],
    bytes: [u8; 2],
    preempt: [u32; 2],
    free: usize,
    /// A hash of all entries and their positions.
    tables: u64,
}

impl Left {
    fn of<'a>(free: usize, entries: impl Iterator<Item = &'a AtomicU64>) -> Self {
        let threads = [&THREAD, &OTHER_THREAD];
        Self {
            flags: threads.map(|it| it.flags.load(Relaxed)),
            bytes: threads.map(|it| it.lazy_mmu.load(Relaxed)),
            preempt: threads.map(|it| it.preempt_count.load(Relaxed)),
            free,
            tables: entries.fold(0, |sum: u64, entry| {
                sum.rotate_left(5) ^ entry.load(Relaxed)
            }),
        }
    }
}

/// The result of a run. It has a copy of the steps, because the next run overwrites them.
struct Run {
    steps: ArrayVec<Step, 4096>,
    instructions: usize,
    left: Left,
}

impl Run {
    fn new(trace: &Trace, left: Left) -> Self {
        Self {
            steps: trace.steps.try_into().expect("it has room"),
            instructions: trace.instructions,
            left,
        }
    }
}

/// An operation that can run repeatedly.
struct Subject<'a> {
    name: &'a str,
    run: &'a mut dyn FnMut() -> Result<Run, Error>,
}

impl Subject<'_> {
    fn run(&mut self, injection: Injection) -> Result<Run, Error> {
        interrupts::taken();
        mapper::used();
        step::inject_at(injection);
        // The black box keeps the code the same for each run.
        let run = black_box(&mut *self.run)();
        step::inject_at(Injection::None);
        run
    }

    /// Runs with `count` interrupts, and checks that the result is the same.
    fn interrupted(
        &mut self,
        undisturbed: &Run,
        injection: Injection,
        count: usize,
    ) -> Result<(), Error> {
        let run = self.run(injection)?;
        let name = self.name;
        assert_eq!(interrupts::taken(), count, "{name}: {injection:?}");
        assert_eq!(mapper::used(), count);
        assert!(
            run.steps == undisturbed.steps && run.left == undisturbed.left,
            "{name}: {injection:?}: {:?} instead of {:?}",
            run.left,
            undisturbed.left
        );
        Ok(())
    }

    /// Runs once for each boundary, with a synchronous exception there. `check` receives the number
    /// of steps before it.
    fn faults_at_each(
        &mut self,
        undisturbed: &Run,
        fault: fn(),
        check: impl Fn(&Run, usize),
    ) -> Result<(), Error> {
        for at in 0..undisturbed.instructions {
            let run = self.run(Injection::Fault(at, fault))?;
            let name = self.name;
            assert_eq!(mapper::used(), 1);
            assert_eq!(run.left, undisturbed.left, "{name}: a fault at {at}");
            assert!(
                without_pairs(&run.steps).eq(without_pairs(&undisturbed.steps)),
                "{name}: a fault at {at}, the program did something else"
            );
            check(&run, step::noted_at_fault());
        }
        Ok(())
    }
}

/// Runs all operations, and returns the number of injections.
fn everything<B: Place>(fault: fn()) -> Result<usize, Error> {
    println!("# the bits in: {}", B::PLACE);
    let (mm, arena) = Arena::boot::<B>(PAGES, 1, true)?;
    mapper::init(&arena, PROGRAMS);
    let env = Env {
        slots: arena.slots,
        leaf: arena.leaf(0),
        range: arena.range,
        backend: PhantomData,
    };

    let mut total = 0;
    for operation in operations::<B>() {
        total += inject_into(&env, operation, fault)?;
    }
    assert!(total > 5_000, "{total} injections");
    Ok(total + inject_into_scenario(mm, program::number(1, 2), fault)?)
}

/// Runs the operation with an interrupt at each boundary, with two at each pair of boundaries, and
/// with a fault at each boundary. Returns the number of injections.
fn inject_into<B: Backend>(
    env: &Env<B>,
    (name, operation): Operation<B>,
    fault: fn(),
) -> Result<usize, Error> {
    let mut subject = Subject {
        name,
        run: &mut || {
            let trace = operation(env);
            let run = Run::new(&trace, Left::of(0, env.slots.iter()));
            for slot in &env.slots[..PROGRAMS] {
                slot.store(0, Relaxed);
            }
            lazy_mmu::flush_tlb_kernel_range::<B>(env.range.into());
            Ok(run)
        },
    };
    let undisturbed = subject.run(Injection::None)?;
    let boundaries = undisturbed.instructions;
    assert!(boundaries > 0, "{name}");
    let mut pairs = 0;
    for first in 0..boundaries {
        subject.interrupted(&undisturbed, Injection::Interrupts([first, first]), 1)?;
        for second in first + 1..boundaries {
            subject.interrupted(&undisturbed, Injection::Interrupts([first, second]), 2)?;
            pairs += 2;
        }
    }
    // The handler's section flushes for the program too. If the program has a pending store, the
    // handler executes the pair, and the program's own pair is missing. All other pairs stay.
    let prepared = [
        "flush",
        "leave",
        "pause, store and resume",
        "the leave of a forgotten guard",
        "TLB invalidation",
        "store, with one pending",
    ];
    subject.faults_at_each(&undisturbed, fault, |run, noted| {
        let before = &undisturbed.steps[..noted.min(undisturbed.steps.len())];
        assert!(
            run.steps == undisturbed.steps
                || before.contains(&Step::Store)
                || prepared.contains(&name),
            "{name}: a fault behind {noted} steps has taken a pair that was not its own"
        );
    })?;
    println!(
        "C05 {name}: {boundaries} interrupts at {boundaries} boundaries, {pairs} in pairs, \
         {boundaries} faults"
    );
    Ok(2 * boundaries + pairs)
}

/// Runs the scenario for which sections nest: it maps and zaps pages, with DEBUG_PAGEALLOC.
///
/// It runs with an interrupt at each boundary, with a fault at each boundary, and once with an
/// interrupt at every boundary. Returns the number of injections.
fn inject_into_scenario<B: Backend>(
    mut mm: MemoryManager<'static, Virt<B>>,
    pages: usize,
    fault: fn(),
) -> Result<usize, Error> {
    let range = PageRange::new(USER_BASE, pages)?;
    mm.build_tables(range)?;
    let mut subject = Subject {
        name: "the scenario",
        run: &mut || {
            mm.rewind();
            let (result, trace) = stepped(|| {
                mm.populate_range(range)?;
                mm.zap_range(range)
            });
            result?;
            let (map, machine) = (mm.frames().map(), mm.machine());
            let frames = (0..map.frames()).map(|number| map.base().add(number));
            let tables = frames.filter(|&it| map.is_table(it));
            let entries = tables.flat_map(|it| machine.table(it));
            Ok(Run::new(&trace, Left::of(mm.frames().free(), entries)))
        },
    };
    let undisturbed = subject.run(Injection::None)?;
    let boundaries = undisturbed.instructions;
    assert_eq!(undisturbed.left.flags, [FOREIGN_FLAGS; 2]);
    for at in 0..boundaries {
        subject.interrupted(&undisturbed, Injection::Interrupts([at, at]), 1)?;
    }
    subject.faults_at_each(&undisturbed, fault, |run, noted| {
        // The handler has executed at most one pair for the program.
        let pairs = |steps| Counts::of(steps).pairs;
        let missing = pairs(&undisturbed.steps).checked_sub(pairs(&run.steps));
        assert!(
            matches!(missing, Some(0 | 1)),
            "the scenario: a fault behind {noted} steps, {missing:?} pairs are missing"
        );
    })?;
    // One run has an interrupt before each instruction.
    subject.interrupted(&undisturbed, Injection::InterruptEverywhere, boundaries)?;
    println!(
        "C05 {pages} pages mapped and zapped, with DEBUG_PAGEALLOC: {boundaries} interrupts at \
         {boundaries} boundaries, {boundaries} faults, and {boundaries} interrupts in one run"
    );
    Ok(3 * boundaries)
}

/// Returns all steps except those of pairs.
fn without_pairs(steps: &[Step]) -> impl Iterator<Item = Step> {
    let mut steps = steps.iter().copied().peekable();
    core::iter::from_fn(move || {
        loop {
            let step = steps.next()?;
            if step != Step::DsbIshst || steps.next_if_eq(&Step::Isb).is_none() {
                return Some(step);
            }
        }
    })
}
