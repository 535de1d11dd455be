//! Nested sections on live page tables: the scenario in which freeing and allocating pages opens sections inside
//! sections, counted on the real instruction stream.
//!
//! Run it with `cargo xtask qemu`. What it prints by default stands in `nested_sections.txt` beside the package.

#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(not(target_os = "none"))]
fn main() {
    eprintln!("this is a kernel: run it with `cargo xtask qemu`");
    std::process::exit(2);
}

#[cfg(target_os = "none")]
mod kernel {
    use core::cell::Cell;
    use core::sync::atomic::{AtomicU8, AtomicU64, Ordering};

    use aarch64_rt::entry;
    use lazy_mmu::descriptor::{Descriptor, Leaf, USER, UXN, VALID};
    use lazy_mmu::{Backend, Eager, Task};
    use lazy_mmu_examples::frames::MemoryMap;
    use lazy_mmu_examples::page::{USER_BASE, VMALLOC_BASE};
    use lazy_mmu_examples::scenario::{self, MAX_PAGES, Recorder, WAYS};
    use lazy_mmu_examples::tolerant::Tolerant;
    use lazy_mmu_examples::trace::{Counts, Line, Order};
    use lazy_mmu_examples::witness::{Witness, Writes};
    use lazy_mmu_examples::{Error, Frame, Machine, MemoryManager, PageRange};
    use lazy_mmu_qemu::step::{self, Trace};
    use lazy_mmu_qemu::thread::{self, ByteMmu, FOREIGN_FLAGS, Mmu, THREAD};
    use lazy_mmu_qemu::virt::Virt;
    use semihosting::{eprintln, println, process};

    /// Where the frames begin: the same address as on the hosted machine.
    const MEMORY_BASE: Frame = Frame::containing(0x4800_0000);

    /// The most frames: up to the end of the board's first GiB of RAM.
    const MAX_FRAMES: usize = scenario::memory_frames(MAX_PAGES);

    static USES: [AtomicU8; MAX_FRAMES] = [const { AtomicU8::new(0) }; MAX_FRAMES];

    entry!(main);
    fn main(_: u64, _: u64, _: u64, _: u64) -> ! {
        thread::init();
        let arguments = Arguments::get();
        match run(&arguments) {
            Ok(()) => process::exit(0),
            Err(error) => {
                eprintln!("error: {error}");
                process::exit(1);
            }
        }
    }

    struct Arguments {
        pages: usize,
        debug_pagealloc: bool,
    }

    impl Arguments {
        fn get() -> Self {
            let mut arguments = Self {
                pages: 64,
                debug_pagealloc: true,
            };
            let words =
                semihosting::experimental::env::args::<256>().expect("QEMU passes a command line");
            let mut name = "";
            for word in words.skip(1) {
                let word = word.expect("it is UTF-8");
                match (name, word) {
                    ("", "--pages" | "--debug-pagealloc") => {
                        name = if word == "--pages" {
                            "--pages"
                        } else {
                            "--debug-pagealloc"
                        };
                        continue;
                    }
                    ("--pages", number) => match number.parse() {
                        Ok(pages @ 1..=MAX_PAGES) => arguments.pages = pages,
                        _ => refuse(word),
                    },
                    ("--debug-pagealloc", "on") => arguments.debug_pagealloc = true,
                    ("--debug-pagealloc", "off") => arguments.debug_pagealloc = false,
                    _ => refuse(word),
                }
                name = "";
            }
            if !name.is_empty() {
                refuse(name);
            }
            arguments
        }
    }

    fn refuse(word: &str) -> ! {
        eprintln!("error: not understood: {word}");
        eprintln!("usage: nested_sections [--pages 1..={MAX_PAGES}] [--debug-pagealloc on|off]");
        process::exit(2);
    }

    fn run(arguments: &Arguments) -> Result<(), Error> {
        println!("# rows of the behaviours, on live tables of TTBR1");
        rows::<Mmu>("flags word, SP_EL0")?;
        rows::<ByteMmu>("own byte, TPIDR_EL1")?;

        println!("# DEBUG_PAGEALLOC");
        freed_frame_faults()?;
        batch_pages_are_written_inside_the_section()?;

        println!(
            "# the scenario: {} pages, DEBUG_PAGEALLOC {}",
            arguments.pages,
            if arguments.debug_pagealloc {
                "on"
            } else {
                "off"
            }
        );
        scenario_in::<Eager<Mmu>>(WAYS[0], arguments)?;
        scenario_in::<Tolerant<Mmu>>(WAYS[1], arguments)?;
        scenario_in::<Mmu>(WAYS[2], arguments)?;

        let flags = THREAD.flags.load(Ordering::Relaxed);
        assert_eq!(
            flags, FOREIGN_FLAGS,
            "others' flags are as they were, ours are clear"
        );
        Ok(())
    }

    /// A memory manager on fresh memory of `frames` frames.
    fn boot<B: Backend>(
        frames: usize,
        debug_pagealloc: bool,
    ) -> Result<MemoryManager<'static, Virt<B>>, Error> {
        let map = map(frames);
        // SAFETY: the RAM there is the frames', and in the identity map; memory managers are used one after another.
        let machine = unsafe { Virt::new(map) };
        MemoryManager::boot(machine, map, debug_pagealloc)
    }

    fn map(frames: usize) -> MemoryMap<'static> {
        for used in &USES {
            used.store(0, Ordering::Relaxed);
        }
        MemoryMap::new(MEMORY_BASE, &USES[..frames])
    }

    /// Steps through each operation, and prints its line.
    struct Stepper {
        way: &'static str,
    }

    impl Recorder for Stepper {
        fn start(&mut self, _: &'static str) {
            step::start();
        }

        fn stop(&mut self, operation: &'static str) {
            let trace = step::stop();
            println!(
                "{}",
                Line {
                    way: self.way,
                    operation,
                    steps: trace.steps,
                }
            );
        }
    }

    fn scenario_in<B: Backend>(way: &'static str, arguments: &Arguments) -> Result<(), Error> {
        static FRAMES: FrameList = FrameList::new();
        let mut mm = boot::<B>(
            scenario::memory_frames(arguments.pages),
            arguments.debug_pagealloc,
        )?;
        FRAMES.with(|frames| {
            scenario::run(
                &mut mm,
                &mut frames[..arguments.pages],
                &mut Stepper { way },
            )
        })
    }

    /// Room for the scenario's list of frames, too large for the stack.
    struct FrameList(core::cell::UnsafeCell<[Frame; MAX_PAGES]>);

    // SAFETY: there is one thread, and no handler uses it.
    unsafe impl Sync for FrameList {}

    impl FrameList {
        #[expect(clippy::large_stack_arrays, reason = "it is a static's value")]
        const fn new() -> Self {
            Self(core::cell::UnsafeCell::new([MEMORY_BASE; MAX_PAGES]))
        }

        fn with<R>(&self, f: impl FnOnce(&mut [Frame]) -> R) -> R {
            // SAFETY: `scenario_in` does not call itself, so there is one such reference at a time.
            f(unsafe { &mut *self.0.get() })
        }
    }

    /// The rows that need a CPU, each on the entries of a live table, with the backend `B`.
    fn rows<B: Backend>(storage: &str) -> Result<(), Error> {
        let mut mm = boot::<B>(4096, false)?;
        let range = PageRange::new(VMALLOC_BASE, 512)?;
        mm.build_tables(range)?;
        let frame = mm.allocate(1)?;
        let machine = mm.machine();
        let (table, _) = mm.leaf(range.start()).ok_or(Error::NotMapped {
            address: range.start(),
        })?;
        let rows = Rows::<B> {
            machine,
            slots: machine.table(table),
            range,
            frame,
        };
        println!("K01 K02 the bits in: {storage}");
        rows.b02_outside();
        rows.b03_n_stores_one_pair()?;
        rows.b04_leaf_rule();
        rows.b09_range_write()?;
        rows.b17_flush_twice();
        rows.b18_no_rmw_once_pending();
        rows.b19_nested_leave_makes_visible()?;
        rows.b22_read_back();
        rows.s25_eager_compiles_to_nothing();
        Ok(())
    }

    struct Rows<'a, B: Backend> {
        machine: Virt<B>,
        slots: &'a [AtomicU64; 512],
        range: PageRange,
        frame: Frame,
    }

    impl<B: Backend> Rows<'_, B> {
        /// Steps through `program`, checks the order of its steps, and B01 on the way.
        fn expect(expected: &str, program: impl FnOnce()) -> Trace {
            let ((), trace) = step::trace(program);
            assert!(
                is_order(trace, expected),
                "expected {expected}, stepped over {}",
                Order(trace.steps)
            );
            let counts = Counts::of(trace.steps);
            assert!(
                counts.pairs == counts.dsb_ishst && counts.pairs == counts.isb,
                "B01: no barrier but in a pair"
            );
            trace
        }

        fn clear(&self) {
            for slot in self.slots {
                lazy_mmu::write::<B, _>(slot, Leaf::INVALID);
            }
            self.machine.invalidate(self.range);
        }

        fn b02_outside(&self) {
            Self::expect("S D I", || {
                lazy_mmu::write::<B, _>(&self.slots[0], self.frame.kernel_page());
            });
            println!("B01 B02 a valid kernel leaf outside a section: S D I");
            let leaf = self.frame.kernel_page().0;
            Self::expect("S D I", || b01_store_outside(&self.slots[0], leaf));
            Self::expect("S*512 D I", || b01_stores_in_a_section(self.slots, leaf));
            self.clear();
        }

        fn b03_n_stores_one_pair(&self) -> Result<(), Error> {
            let mut pairs = 0;
            for n in 1..=self.slots.len() {
                let trace = Self::expect("", || {
                    lazy_mmu::with::<B, _>(|mmu| {
                        for slot in &self.slots[..n] {
                            mmu.write(slot, self.frame.kernel_page());
                        }
                    });
                });
                let counts = Counts::of(trace.steps);
                assert_eq!((counts.stores, counts.pairs), (n, 1));
                assert!(
                    trace.steps[..n]
                        .iter()
                        .all(|&it| it == lazy_mmu_examples::trace::Step::Store)
                );
                pairs += counts.pairs;
                // The MMU walks them: the first and the last page show the frame.
                self.machine.write(self.range.page(n - 1), n as u64)?;
                assert_eq!(self.machine.read(self.range.start())?, n as u64);
                self.clear();
            }
            println!(
                "B01 B03 n stores in a section, n from 1 to 512: n stores, one pair each ({pairs} pairs)"
            );
            Ok(())
        }

        fn b04_leaf_rule(&self) {
            for bits in 0..8u64 {
                let (valid, user, uxn) = (bits & 1 != 0, bits & 2 != 0, bits & 4 != 0);
                let mut leaf = self.frame.kernel_page().0 & !(VALID | USER | UXN);
                for (set, bit) in [(valid, VALID), (user, USER), (uxn, UXN)] {
                    leaf |= if set { bit } else { 0 };
                }
                let needs = valid && uxn && !user;
                Self::expect(if needs { "S D I" } else { "S" }, || {
                    lazy_mmu::with::<B, _>(|mmu| mmu.write(&self.slots[0], Leaf(leaf)));
                });
                self.clear();
            }
            println!(
                "B04 B05 B06 B07 the leaf rule, all 8 combinations of VALID, USER, UXN: 1 of them S D I, 7 S"
            );
        }

        fn b09_range_write(&self) -> Result<(), Error> {
            // The first entry needs the pair, the last ones do not.
            let trace = Self::expect("S*512 D I", || {
                lazy_mmu::with::<B, _>(|mmu| {
                    mmu.write_range(self.slots, |i| {
                        if i == 0 {
                            self.frame.kernel_page()
                        } else {
                            Leaf::INVALID
                        }
                    });
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
            Self::expect("S D I", || {
                lazy_mmu::with::<B, _>(|mmu| {
                    mmu.flush();
                    mmu.write(&self.slots[0], self.frame.kernel_page());
                    mmu.flush();
                    mmu.flush();
                });
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
                "the further stores do no atomic read-modify-write"
            );
            println!(
                "B18 atomic read-modify-writes in a section: {one} with 1 store, {many} with 100"
            );
        }

        fn b19_nested_leave_makes_visible(&self) -> Result<(), Error> {
            // SAFETY: this thread's only handle; no handler uses it.
            let mut task = unsafe { Task::<B>::current() };
            let mut outer = task.enter();
            outer.write(&self.slots[1], self.frame.kernel_page());
            let mut inner = outer.nest();
            inner.write(&self.slots[0], self.frame.kernel_page());
            inner.leave();
            // Between the nested leave and the outer one.
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
    }

    impl<B: Backend> Rows<'_, B> {
        fn s25_eager_compiles_to_nothing(&self) {
            // The black box makes all of them the same indirect call.
            let instructions =
                |program: &dyn Fn()| step::trace(core::hint::black_box(program)).1.instructions;
            let nothing = instructions(&|| ());
            let section = instructions(&|| lazy_mmu::with::<Eager<B>, _>(|_| ()));
            assert_eq!(section, nothing, "enter and leave of the eager backend");
            let slot = &self.slots[0];
            let leaf = self.frame.kernel_page();
            let by_hand = instructions(&|| {
                slot.store(leaf.0, Ordering::Relaxed);
                B::barrier();
            });
            let stored = instructions(&|| {
                lazy_mmu::with::<Eager<B>, _>(|mmu| mmu.write(slot, Always(leaf.0)));
            });
            assert_eq!(stored, by_hand, "a store and its pair, no more");
            println!("S25 an eager section compiles to nothing, its store to str, dsb ishst, isb");
            self.clear();
        }
    }

    // What `cargo xtask qemu` looks up in the disassembly: the functions whose names begin with `b01_`.

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
    }

    /// Whether the trace's order is `expected` as [`Order`] prints it; an empty one means any.
    fn is_order(trace: Trace, expected: &str) -> bool {
        use core::fmt::Write as _;

        /// Takes characters off the front of what is expected.
        struct Rest<'a>(Option<&'a str>);

        impl core::fmt::Write for Rest<'_> {
            fn write_str(&mut self, printed: &str) -> core::fmt::Result {
                self.0 = self.0.and_then(|it| it.strip_prefix(printed));
                Ok(())
            }
        }

        let mut rest = Rest(Some(expected));
        write!(rest, "{}", Order(trace.steps)).expect("it does not fail");
        expected.is_empty() || rest.0 == Some("")
    }

    fn freed_frame_faults() -> Result<(), Error> {
        let mut mm = boot::<Mmu>(4096, true)?;
        let frame = mm.allocate(1)?;
        let machine = mm.machine();
        machine.write(frame.linear(), 1)?;
        assert_eq!(machine.read(frame.linear())?, 1);
        mm.release(frame)?;
        let fault = machine.read(frame.linear()).expect_err("the frame is free");
        assert_eq!(fault.address, frame.linear());
        println!("{frame} is used, freed, and touched: {fault}");
        let fault = machine
            .write(frame.linear() + 8, 1)
            .expect_err("the frame is free");
        assert_eq!(fault.address, frame.linear() + 8);
        Ok(())
    }

    fn batch_pages_are_written_inside_the_section() -> Result<(), Error> {
        let map = map(4096);
        // SAFETY: as in `boot`.
        let machine = unsafe { Virt::<Mmu>::new(map) };
        let writes = Cell::new(Writes::default());
        let mut mm = MemoryManager::boot(Witness::new(machine, &writes), map, true)?;
        let range = PageRange::new(USER_BASE, 200)?;
        mm.populate_user_range(range)?;
        writes.set(Writes::default());
        mm.zap_range(range)?;
        let Writes {
            in_section,
            outside,
        } = writes.get();
        assert_eq!(outside, 0);
        println!(
            "B19 zap_range of 200 pages: {in_section} words of batch pages written before the outer leave"
        );
        Ok(())
    }
}
