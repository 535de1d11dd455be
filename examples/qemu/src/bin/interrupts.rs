//! Row C05: an interrupt at every instruction boundary of every operation, on the real instruction stream.
//!
//! Each operation is run once without an interrupt, and then once for each boundary, with an interrupt of the GIC's that is
//! taken there. Its handler opens a section by the attribute, maps a page, reads through the mapping, and leaves. The bits,
//! the tables and the program's barriers must be those of the run without an interrupt. Then two interrupts, at every pair
//! of boundaries; and a synchronous exception instead, whose section is nested in the program's.
//!
//! The last operation is the scenario for which sections nest: pages are mapped and zapped, with DEBUG_PAGEALLOC. How many pages
//! is the first word behind the level.
//!
//! Run it with `cargo xtask qemu`. What it prints for two pages stands in `interrupts.txt` beside the package.

#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(not(target_os = "none"))]
include!("../host.rs");

#[cfg(target_os = "none")]
mod kernel {
    use core::hint::black_box;
    use core::marker::PhantomData;
    use core::sync::atomic::{AtomicU64, Ordering};

    use aarch64_rt::entry;
    use heapless::Vec;
    use lazy_mmu::aarch64::descriptor::Leaf;
    use lazy_mmu::{Backend, Task, lazy_mmu, write};
    use lazy_mmu_examples::page::USER_BASE;
    use lazy_mmu_examples::trace::Step;
    use lazy_mmu_examples::{Error, Machine, MemoryManager, PageRange};
    use lazy_mmu_qemu::arena::Arena;
    use lazy_mmu_qemu::step::{Injection, Trace};
    use lazy_mmu_qemu::thread::{ByteMmu, FOREIGN_FLAGS, Mmu, OTHER_THREAD, THREAD};
    use lazy_mmu_qemu::virt::Virt;
    use lazy_mmu_qemu::{interrupts, mapper, program, step};
    use semihosting::println;

    /// The entries that the programs change; the handler's is behind them.
    const PROGRAMS: usize = 8;
    const PAGES: usize = PROGRAMS + 1;

    entry!(main);
    fn main(_: u64, _: u64, _: u64, _: u64) -> ! {
        program::run(run)
    }

    fn run() -> Result<(), Error> {
        // Which backend the handler uses is the same for both: it is in an interrupt, and has no bits.
        interrupts::init(1, || mapper::map_and_use::<Mmu>(true));
        let mut total = 0;
        total += everything::<Mmu>("flags word, SP_EL0", || mapper::map_and_use::<Mmu>(false))?;
        total += everything::<ByteMmu>("own byte, TPIDR_EL1", || {
            mapper::map_and_use::<ByteMmu>(false);
        })?;
        println!("C05 {total} injections in all, none lost");
        Ok(())
    }

    /// The machine, and what the programs work on.
    struct Env<B> {
        slots: &'static [AtomicU64],
        leaf: Leaf,
        range: PageRange,
        backend: PhantomData<B>,
    }

    /// An operation: prepares, steps through what it is about, and tidies up.
    type Operation<B> = (&'static str, fn(&Env<B>) -> Trace);

    /// Steps through `program` only.
    fn stepped<R>(program: impl FnOnce() -> R) -> (R, Trace) {
        step::start();
        let result = black_box(program)();
        (result, step::stop())
    }

    /// The handle of the one thread.
    fn task<B: Backend>() -> Task<B> {
        // SAFETY: each operation makes one, and drops it; the handlers use none.
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

    /// What must be the same whatever is injected.
    #[derive(PartialEq, Debug)]
    struct After {
        flags: [u64; 2],
        bytes: [u8; 2],
        preempt: [u32; 2],
        entries: [u64; PAGES],
    }

    impl After {
        fn of<B: Backend>(env: &Env<B>) -> Self {
            let threads = [&THREAD, &OTHER_THREAD];
            Self {
                flags: threads.map(|it| it.flags.load(Ordering::Relaxed)),
                bytes: threads.map(|it| it.lazy_mmu.load(Ordering::Relaxed)),
                preempt: threads.map(|it| it.preempt_count.load(Ordering::Relaxed)),
                entries: core::array::from_fn(|i| env.slots[i].load(Ordering::Relaxed)),
            }
        }
    }

    /// What a run has done. The steps are copied: the next run overwrites them.
    struct Run {
        steps: [Step; 32],
        noted: usize,
        instructions: usize,
        after: After,
    }

    impl Run {
        fn steps(&self) -> &[Step] {
            &self.steps[..self.noted]
        }
    }

    fn run_once<B: Backend>(env: &Env<B>, operation: Operation<B>, injection: Injection) -> Run {
        step::inject_at(injection);
        // The black box: the same code each time.
        let trace = black_box(operation.1)(env);
        step::inject_at(Injection::None);
        let mut steps = [Step::Store; 32];
        steps[..trace.steps.len()].copy_from_slice(trace.steps);
        let after = After::of(env);
        for slot in &env.slots[..PROGRAMS] {
            slot.store(0, Ordering::Relaxed);
        }
        lazy_mmu::flush_tlb_kernel_range::<B>(env.range.into());
        Run {
            steps,
            noted: trace.steps.len(),
            instructions: trace.instructions,
            after,
        }
    }

    /// Runs everything; returns the number of injections.
    fn everything<B: Backend>(storage: &str, fault: fn()) -> Result<usize, Error> {
        println!("# the bits in: {storage}");
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
            let boundaries = run_once(&env, operation, Injection::None).instructions;
            let single = interrupts_at_each(&env, operation);
            let pairs = interrupts_at_each_pair(&env, operation);
            let faults = faults_at_each(&env, operation, fault);
            assert!(
                single == boundaries && faults == boundaries && single > 0,
                "{}: {single} interrupts and {faults} faults at {boundaries} boundaries",
                operation.0
            );
            total += single + pairs + faults;
            println!(
                "C05 {}: {single} interrupts at {boundaries} boundaries, {pairs} in pairs, {faults} faults",
                operation.0
            );
        }
        assert!(total > 5_000, "{total} injections");
        total += Scenario::new(mm, program::number(1))?.everything(fault)?;
        Ok(total)
    }

    /// One interrupt at each boundary, a run each; returns how many.
    fn interrupts_at_each<B: Backend>(env: &Env<B>, operation: Operation<B>) -> usize {
        let undisturbed = run_once(env, operation, Injection::None);
        for at in 0..undisturbed.instructions {
            interrupts::taken();
            mapper::used();
            let run = run_once(env, operation, Injection::Interrupts([at, at]));
            assert_eq!(interrupts::taken(), 1, "{}: at {at}", operation.0);
            assert_eq!(mapper::used(), 1);
            assert!(
                run.steps() == undisturbed.steps() && run.after == undisturbed.after,
                "{}: an interrupt at {at} of {}: {:?} instead of {:?}",
                operation.0,
                undisturbed.instructions,
                run.after,
                undisturbed.after
            );
        }
        undisturbed.instructions
    }

    /// Two interrupts, at each pair of boundaries; returns how many.
    fn interrupts_at_each_pair<B: Backend>(env: &Env<B>, operation: Operation<B>) -> usize {
        let undisturbed = run_once(env, operation, Injection::None);
        let mut count = 0;
        for first in 0..undisturbed.instructions {
            for second in first + 1..undisturbed.instructions {
                interrupts::taken();
                let run = run_once(env, operation, Injection::Interrupts([first, second]));
                assert_eq!(
                    interrupts::taken(),
                    2,
                    "{}: at {first} and {second}",
                    operation.0
                );
                assert!(
                    run.steps() == undisturbed.steps() && run.after == undisturbed.after,
                    "{}: interrupts at {first} and {second}",
                    operation.0
                );
                count += 2;
            }
        }
        count
    }

    /// A synchronous exception at each boundary, a run each; returns how many.
    fn faults_at_each<B: Backend>(env: &Env<B>, operation: Operation<B>, fault: fn()) -> usize {
        let undisturbed = run_once(env, operation, Injection::None);
        for at in 0..undisturbed.instructions {
            mapper::used();
            let run = run_once(env, operation, Injection::Fault(at, fault));
            assert_eq!(mapper::used(), 1);
            assert!(
                run.after == undisturbed.after,
                "{}: a fault at {at}: {:?} instead of {:?}",
                operation.0,
                run.after,
                undisturbed.after
            );
            // The handler's section flushes for the program too: a pair that the program had left is gone, if the handler
            // came behind the last store; none else.
            let noted = step::noted_at_fault();
            let stored = undisturbed.steps()[..noted.min(undisturbed.noted)].contains(&Step::Store);
            let same = run.steps() == undisturbed.steps();
            assert!(
                same || without_pairs(run.steps()).eq(without_pairs(undisturbed.steps())),
                "{}: a fault at {at}, the program did something else",
                operation.0
            );
            let prepared = matches!(
                operation.0,
                "flush"
                    | "leave"
                    | "pause, store and resume"
                    | "the leave of a forgotten guard"
                    | "TLB invalidation"
                    | "store, with one pending"
            );
            assert!(
                same || stored || prepared,
                "{}: a fault at {at} has taken a pair that was not its own",
                operation.0
            );
        }
        undisturbed.instructions
    }

    /// All steps but those of pairs.
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

    /// The scenario for which sections nest: pages are mapped and zapped, with DEBUG_PAGEALLOC.
    struct Scenario<B: Backend> {
        mm: MemoryManager<'static, Virt<B>>,
        range: PageRange,
    }

    /// What the scenario has done and left.
    struct Outcome {
        steps: Vec<Step, 4096>,
        instructions: usize,
        left: Left,
    }

    /// What must be the same whatever is injected.
    #[derive(PartialEq, Debug)]
    struct Left {
        flags: [u64; 2],
        bytes: [u8; 2],
        free: usize,
        /// A sum over all entries of all tables.
        tables: u64,
    }

    impl<B: Backend> Scenario<B> {
        fn new(mut mm: MemoryManager<'static, Virt<B>>, pages: usize) -> Result<Self, Error> {
            let range = PageRange::new(USER_BASE, pages)?;
            mm.build_tables(range)?;
            Ok(Self { mm, range })
        }

        fn run(&mut self, injection: Injection) -> Result<Outcome, Error> {
            self.mm.rewind();
            step::inject_at(injection);
            let (result, trace) = stepped(|| {
                self.mm.populate_range(self.range)?;
                self.mm.zap_range(self.range)
            });
            step::inject_at(Injection::None);
            result?;
            let threads = [&THREAD, &OTHER_THREAD];
            Ok(Outcome {
                steps: Vec::from_slice(trace.steps).expect("it has room for so few pages"),
                instructions: trace.instructions,
                left: Left {
                    flags: threads.map(|it| it.flags.load(Ordering::Relaxed)),
                    bytes: threads.map(|it| it.lazy_mmu.load(Ordering::Relaxed)),
                    free: self.mm.frames().free(),
                    tables: self.sum_of_tables(),
                },
            })
        }

        fn sum_of_tables(&self) -> u64 {
            let (map, machine) = (self.mm.frames().map(), self.mm.machine());
            let frames = (0..map.frames()).map(|number| map.base().add(number));
            let tables = frames.filter(|&it| map.is_table(it));
            let entries = tables.flat_map(|it| machine.table(it));
            // The place of an entry counts too.
            entries.fold(0, |sum: u64, entry| {
                sum.rotate_left(5) ^ entry.load(Ordering::Relaxed)
            })
        }

        /// An interrupt at each boundary, and a fault at each, a run each; and an interrupt at every boundary of one run. Returns
        /// how many in all.
        fn everything(mut self, fault: fn()) -> Result<usize, Error> {
            let pages = self.range.pages();
            let undisturbed = self.run(Injection::None)?;
            let boundaries = undisturbed.instructions;
            assert_eq!(undisturbed.left.flags, [FOREIGN_FLAGS; 2]);
            for at in 0..boundaries {
                interrupts::taken();
                mapper::used();
                let run = self.run(Injection::Interrupts([at, at]))?;
                assert_eq!((interrupts::taken(), mapper::used()), (1, 1));
                assert!(
                    run.steps == undisturbed.steps && run.left == undisturbed.left,
                    "the scenario: an interrupt at {at} of {boundaries}: {:?} instead of {:?}",
                    run.left,
                    undisturbed.left
                );
            }
            for at in 0..boundaries {
                mapper::used();
                let run = self.run(Injection::Fault(at, fault))?;
                assert_eq!(mapper::used(), 1);
                assert_eq!(run.left, undisturbed.left, "the scenario: a fault at {at}");
                // The handler has executed one pair for the program, or none.
                let pairs = |steps| lazy_mmu_examples::trace::Counts::of(steps).pairs;
                let missing = pairs(&undisturbed.steps).checked_sub(pairs(&run.steps));
                assert!(
                    matches!(missing, Some(0 | 1))
                        && without_pairs(&run.steps).eq(without_pairs(&undisturbed.steps)),
                    "the scenario: a fault at {at}, {missing:?} pairs are missing"
                );
            }
            interrupts::taken();
            let run = self.run(Injection::InterruptEverywhere)?;
            assert_eq!(
                interrupts::taken(),
                boundaries,
                "one before each instruction"
            );
            assert!(run.steps == undisturbed.steps && run.left == undisturbed.left);
            println!(
                "C05 {pages} pages mapped and zapped, with DEBUG_PAGEALLOC: {boundaries} interrupts at {boundaries} boundaries, \
                 {boundaries} faults, and {boundaries} interrupts in one run"
            );
            Ok(3 * boundaries)
        }
    }
}
