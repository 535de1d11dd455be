//! Nested sections on live page tables: the scenario in which freeing and allocating pages opens sections inside
//! sections, counted on the real instruction stream.
//!
//! Run it with `cargo xtask qemu`. What it prints by default stands in `nested_sections.txt` beside the package.

#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(not(target_os = "none"))]
include!("../host.rs");

#[cfg(target_os = "none")]
mod kernel {
    use core::cell::Cell;
    use core::sync::atomic::{AtomicU8, Ordering};

    use aarch64_rt::entry;
    use lazy_mmu::{Backend, Eager};
    use lazy_mmu_examples::frames::MemoryMap;
    use lazy_mmu_examples::page::{USER_BASE, VMALLOC_BASE};
    use lazy_mmu_examples::scenario::{self, MAX_PAGES, MEMORY_BASE, Recorder, WAYS};
    use lazy_mmu_examples::tolerant::Tolerant;
    use lazy_mmu_examples::trace::Line;
    use lazy_mmu_examples::witness::{Filled, Witness};
    use lazy_mmu_examples::{Error, Frame, Machine, MemoryManager, PageRange};
    use lazy_mmu_qemu::thread::{ByteMmu, FOREIGN_FLAGS, Mmu, OTHER_THREAD, THREAD};
    use lazy_mmu_qemu::virt::Virt;
    use lazy_mmu_qemu::{program, rows, step};
    use semihosting::{eprintln, println, process};

    /// The most frames: up to the end of the board's first GiB of RAM.
    const MAX_FRAMES: usize = scenario::memory_frames(MAX_PAGES);

    static USES: [AtomicU8; MAX_FRAMES] = [const { AtomicU8::new(0) }; MAX_FRAMES];

    entry!(main);
    fn main(_: u64, _: u64, _: u64, _: u64) -> ! {
        let arguments = Arguments::get();
        program::run(|| run(&arguments))
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
        rows::show(
            "flags word, SP_EL0",
            &mut boot::<Mmu>(4096, false)?,
            &THREAD,
        )?;
        rows::show(
            "own byte, TPIDR_EL1",
            &mut boot::<ByteMmu>(4096, false)?,
            &OTHER_THREAD,
        )?;

        println!("# mappings");
        vmalloc_is_read_through_the_linear_map()?;
        println!("# DEBUG_PAGEALLOC");
        freed_frame_faults()?;
        tables_are_filled_inside_the_section()?;

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

        for thread in [&THREAD, &OTHER_THREAD] {
            assert_eq!(
                thread.flags.load(Ordering::Relaxed),
                FOREIGN_FLAGS,
                "others' flags are as they were, ours are clear"
            );
            assert_eq!(thread.lazy_mmu.load(Ordering::Relaxed), 0);
        }
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

    fn vmalloc_is_read_through_the_linear_map() -> Result<(), Error> {
        let mut mm = boot::<Mmu>(4096, true)?;
        let machine = mm.machine();
        let frame = mm.allocate(1)?;
        let page = PageRange::new(VMALLOC_BASE, 1)?;
        let (address, word) = (page.start() + 8, 0x1234_5678_9abc_def0);
        machine
            .write(address, word)
            .expect_err("it is not mapped yet");
        let mapping = mm.vmap(page, &[frame])?;
        mapping.write(machine, 1, word)?;
        let read = machine.read(frame.linear() + 8)?;
        assert_eq!(read, word);
        println!(
            "{frame} is mapped at {:#x}, written there, and read through the linear map: {read:#x}",
            page.start()
        );
        mm.vunmap_range(page)?;
        let fault = machine
            .read(address)
            .expect_err("it is not mapped any more");
        println!("it is unmapped, and touched: {fault}");
        Ok(())
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
        println!("it is written to: {fault}");
        Ok(())
    }

    fn tables_are_filled_inside_the_section() -> Result<(), Error> {
        let map = map(4096);
        // SAFETY: as in `boot`.
        let machine = unsafe { Virt::<Mmu>::new(map) };
        let filled = Cell::new(Filled::default());
        let mut mm = MemoryManager::boot(Witness::new(machine, &filled), map, true)?;
        filled.set(Filled::default());
        mm.populate_user_range(PageRange::new(USER_BASE, 1100)?)?;
        let Filled {
            in_section,
            outside,
        } = filled.get();
        assert_eq!(outside, 0);
        println!(
            "B19 populate_user_range of 1100 pages: {in_section} tables filled before the outer leave"
        );
        Ok(())
    }
}
