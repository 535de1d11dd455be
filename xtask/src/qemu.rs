//! `cargo xtask qemu`: builds the kernels, runs them, and compares their output.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use lazy_mmu::sim::Sim;
use lazy_mmu_examples::host::run_scenario;
use lazy_mmu_examples::scenario::WAYS;
use lazy_mmu_examples::trace::Line;
use xshell::{Shell, cmd};

use crate::setup::TARGET;
use crate::{asm, disassembly, golden, programs, riscv64, size};

/// The workspace of the kernels.
pub(crate) const KERNELS: &str = "examples/qemu";

/// A kernel, and the way to test it.
#[derive(Clone, Copy)]
pub(crate) struct Program {
    /// The binary. The file `NAME.txt` has its expected output.
    pub(crate) name: &'static str,
    package: &'static str,
    /// The program must print the same in each configuration. If this is empty, `cargo xtask qemu`
    /// only inspects the program.
    pub(crate) runs: &'static [Configuration],
    time: Time,
    /// Runs the short form of a program that checks itself. The others print the same each time.
    short_form: Option<fn(&Kernels) -> Result<String>>,
    /// Why the program does not run under the observer.
    pub(crate) unobserved: Option<&'static str>,
    /// Whether the program tests the mutants of the library.
    quick: bool,
    /// Checks the binary that is built with LSE.
    inspect: fn(&Path) -> Result<()>,
}

const KERNELS_PACKAGE: &str = "lazy-mmu-qemu";
const RECIPES: &str = "lazy-mmu-recipes";
/// The package of the programs that are linked with the C form.
const BESIDE_C: &str = "lazy-mmu-beside-c";
/// The program for the registers of EL2 without FEAT_VHE.
const EL2: &str = "el2_without_vhe";

const EVERYWHERE: &[Configuration] = &[FIRST, at(2, true), at(1, false), at(2, false)];
const AT_EL1: &[Configuration] = &[FIRST, at(1, false)];
const AT_EL2: &[Configuration] = &[at(2, true), at(2, false)];
/// For programs that count instructions: the counts depend on the build.
const COUNTED: &[Configuration] = &[FIRST];

const fn program(
    name: &'static str,
    package: &'static str,
    runs: &'static [Configuration],
) -> Program {
    Program {
        name,
        package,
        runs,
        time: Time::Real,
        short_form: None,
        unobserved: None,
        quick: false,
        inspect: |_| Ok(()),
    }
}

impl Program {
    const fn quick(mut self) -> Self {
        self.quick = true;
        self
    }

    const fn inspect(mut self, inspect: fn(&Path) -> Result<()>) -> Self {
        self.inspect = inspect;
        self
    }

    const fn in_virtual_time(mut self) -> Self {
        self.time = Time::Virtual;
        self
    }

    const fn checks_itself(mut self, short_form: fn(&Kernels) -> Result<String>) -> Self {
        self.short_form = Some(short_form);
        self
    }

    const fn unobserved(mut self, reason: &'static str) -> Self {
        self.unobserved = Some(reason);
        self
    }
}

/// The programs, in the order in which they run.
pub(crate) const PROGRAMS: &[Program] = &[
    program("other_writes", KERNELS_PACKAGE, EVERYWHERE)
        .quick()
        .inspect(disassembly::check_both)
        .unobserved("it splits a block, as only a CPU with FEAT_BBM may"),
    program(NESTED_SECTIONS, KERNELS_PACKAGE, EVERYWHERE)
        .quick()
        .inspect(disassembly::check)
        .unobserved(STEPPED),
    program(EL2, EL2, AT_EL2)
        .quick()
        .unobserved("TTBR0_EL2 translates its pages, and the observer knows TTBR1_EL1"),
    program("early_global", "early_global", EVERYWHERE)
        .quick()
        .unobserved("it maps only its own image, so it cannot execute trampolines"),
    program("descriptors", KERNELS_PACKAGE, EVERYWHERE).quick(),
    program("device_driver", KERNELS_PACKAGE, EVERYWHERE).quick(),
    program("byte_per_cpu", RECIPES, AT_EL1).quick(),
    program("byte_per_task", RECIPES, AT_EL1),
    program("byte_swapped", RECIPES, AT_EL1),
    program("first_kernel", "first_kernel", AT_EL1),
    program("paging_crate", KERNELS_PACKAGE, EVERYWHERE),
    program(MULTIARCH, KERNELS_PACKAGE, EVERYWHERE),
    program("tasks", KERNELS_PACKAGE, AT_EL1),
    program(INTERRUPTS, KERNELS_PACKAGE, COUNTED).unobserved(STEPPED),
    program("budgets", BESIDE_C, COUNTED)
        .inspect(|program| asm::check(program, KERNELS))
        .unobserved(COUNTS),
    program(COMPARISON, BESIDE_C, COUNTED).unobserved(COUNTS),
    program(SCALE, BESIDE_C, COUNTED)
        .in_virtual_time()
        .unobserved(COUNTS),
    program(TIMER, KERNELS_PACKAGE, AT_EL1).checks_itself(|it| timer(it, Sections::Short)),
    program(MIGRATION, KERNELS_PACKAGE, AT_EL1).checks_itself(|it| migration(it, Sections::Short)),
    program(RANDOM_PROGRAMS, KERNELS_PACKAGE, AT_EL1)
        .checks_itself(|it| random_programs(it, FEW_PROGRAMS))
        .unobserved(STEPPED),
    program(CASES, KERNELS_PACKAGE, &[])
        .unobserved("it is wrong, and each of its cases has a run of its own"),
    program("size_eager", KERNELS_PACKAGE, &[]),
    program("size_lazy", KERNELS_PACKAGE, &[]).inspect(size::check),
];

/// Why a program that takes long under single steps is not observed.
const STEPPED: &str = "a single step synchronizes the context, which would hide a missing `isb`";
/// Why a program that counts all its instructions is not observed.
const COUNTS: &str = "it counts instructions, and trampolines are instructions";

const NESTED_SECTIONS: &str = "nested_sections";
const INTERRUPTS: &str = "interrupts";
const COMPARISON: &str = "comparison";
const SCALE: &str = "scale";
const TIMER: &str = "timer";
pub(crate) const MIGRATION: &str = "migration";
const RANDOM_PROGRAMS: &str = "programs";
pub(crate) const MULTIARCH: &str = "multiarch_crate";
pub(crate) const CASES: &str = "cases";

/// A way to build and run a kernel.
#[derive(Clone, Copy)]
pub(crate) struct Configuration {
    /// The Exception level. At 2 the kernel is a host with FEAT_VHE, or uses the registers of EL2.
    level: u8,
    /// Whether atomics are single instructions (FEAT_LSE), or loops of exclusive loads and stores.
    lse: bool,
}

const fn at(level: u8, lse: bool) -> Configuration {
    Configuration { level, lse }
}

pub(crate) const FIRST: Configuration = at(1, true);

impl Configuration {
    /// Returns the machine.
    ///
    /// A Cortex-A72 does not have LSE, and would fault at such an instruction. Cortex-A76 is the
    /// first with FEAT_VHE.
    fn board(self) -> Board {
        let (name, cpu) = match (self.level, self.lse) {
            (1, true) => ("EL1, with LSE", "cortex-a76"),
            (1, false) => ("EL1, without LSE", "cortex-a72"),
            (_, true) => ("EL2, with LSE", "cortex-a76"),
            (_, false) => ("EL2, without LSE", "cortex-a76"),
        };
        let (word, machine) = match self.level {
            1 => ("el1", "virt,gic-version=3"),
            _ => ("el2", "virt,gic-version=3,virtualization=on"),
        };
        Board {
            name,
            emulator: AARCH64,
            word,
            machine,
            cpu,
            cpus: 4,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        self.board().name
    }
}

/// A machine that QEMU emulates.
#[derive(Clone, Copy)]
pub(crate) struct Board {
    pub(crate) name: &'static str,
    pub(crate) emulator: &'static str,
    /// The first word of the kernel's command line, which says what the kernel should find.
    pub(crate) word: &'static str,
    pub(crate) machine: &'static str,
    pub(crate) cpu: &'static str,
    pub(crate) cpus: u8,
}

const AARCH64: &str = "qemu-system-aarch64";

/// The clock of the emulated machine.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Time {
    /// The clock of the host. Each CPU is a thread of the host, and several run in parallel.
    Real,
    /// One instruction takes one nanosecond. The CPUs take turns. The timer interrupts more often
    /// than in real time.
    Virtual,
}

impl Time {
    fn name(self) -> &'static str {
        match self {
            Self::Real => "in real time",
            Self::Virtual => "in virtual time",
        }
    }

    fn options(self) -> [&'static str; 2] {
        match self {
            Self::Real => ["-accel", "tcg,thread=multi"],
            Self::Virtual => ["-icount", "shift=0,sleep=off"],
        }
    }
}

#[derive(clap::Args, Clone, Copy)]
pub(crate) struct Args {
    /// Run only this program, in each configuration
    #[arg(value_parser = parse_program, conflicts_with = "quick")]
    program: Option<&'static Program>,

    /// Run the few programs that test the mutants of this part of the library
    #[arg(long, value_name = "ARCHITECTURE", conflicts_with = "bless")]
    quick: Option<Architecture>,

    /// Write the outputs of the programs and the golden assembly into their files
    #[arg(long)]
    bless: bool,
}

/// An architecture that has kernels.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Architecture {
    Aarch64,
    Riscv64,
}

fn parse_program(name: &str) -> Result<&'static Program, String> {
    let mut programs = PROGRAMS.iter().filter(|it| !it.runs.is_empty());
    let names: Vec<_> = programs.clone().map(|it| it.name).collect();
    let known = programs.find(|it| it.name == name);
    known.ok_or_else(|| format!("the programs are {}", names.join(", ")))
}

impl Args {
    /// Returns whether a program with the C form is built.
    pub(crate) fn need_c_form(&self) -> bool {
        self.quick.is_none() && self.program.is_none_or(|it| it.package == BESIDE_C)
    }
}

/// Runs the command.
pub(crate) fn run(shell: &Shell, args: &Args) -> Result<()> {
    if args.bless {
        golden::bless();
    }
    if let Some(Architecture::Riscv64) = args.quick {
        return riscv64::quick(shell);
    }
    if let Some(Architecture::Aarch64) = args.quick {
        let programs: Vec<_> = PROGRAMS.iter().filter(|it| it.quick).collect();
        let mut kernels = Kernels::build_some(shell, &programs, &[true])?;
        // A mutant may hang.
        kernels.patience = Duration::from_mins(10);
        return side_by_side(&programs, |it| kernels.check(it, &it.runs[..1]));
    }
    if let Some(program) = args.program {
        let kernels = Kernels::build_some(shell, &[program], &[true, false])?;
        kernels.check(program, program.runs)?;
        kernels.short_form(program)?;
        return riscv64::run(shell, Some(program.name));
    }
    short_forms(&Kernels::build(shell)?)?;
    riscv64::run(shell, None)
}

/// Runs the part of `cargo xtask test`.
pub(crate) fn test(shell: &Shell) -> Result<()> {
    let kernels = Kernels::build(shell)?;
    short_forms(&kernels)?;
    for (pages, debug_pagealloc) in [(1, true), (512, true), (600, false)] {
        scenario(&kernels, pages, debug_pagealloc)?;
    }
    refuses_bad_arguments(&kernels)
}

/// Runs each program in each configuration, and the short forms of the programs that check
/// themselves. The latter run alone, because their counts depend on the machine's speed.
fn short_forms(kernels: &Kernels) -> Result<()> {
    let all: Vec<_> = PROGRAMS.iter().collect();
    side_by_side(&all, |it| kernels.check(it, it.runs))?;
    println!(
        "B26 B27 {} programs print the same at EL1 and at EL2, with LSE and without\n",
        all.iter().filter(|it| it.runs.len() == 4).count()
    );
    PROGRAMS.iter().try_for_each(|it| kernels.short_form(it))
}

/// Returns the outputs of the programs that count the three forms. The first has up to 512 pages.
/// The second has up to a million, and several CPUs.
pub(crate) fn comparison(shell: &Shell) -> Result<[String; 2]> {
    let programs: Vec<_> = PROGRAMS
        .iter()
        .filter(|it| it.package == BESIDE_C)
        .collect();
    let kernels = Kernels::build_some(shell, &programs, &[true])?;
    let boot = |name| kernels.qemu(name, FIRST, "")?.boot();
    Ok([boot(COMPARISON)?, boot(SCALE)?])
}

/// The number of sections in the programs that check themselves.
#[derive(Clone, Copy)]
pub(crate) enum Sections {
    Short = 100_000,
    Long = 1_000_000,
}

/// Runs C05 with more pages in its scenario than `cargo xtask test` has. Returns the output.
pub(crate) fn interrupts(kernels: &Kernels) -> Result<String> {
    kernels.qemu(INTERRUPTS, FIRST, "16")?.boot_self_checking(1)
}

/// Runs the sections under the generic timer, in real and in virtual time. Returns the output.
pub(crate) fn timer(kernels: &Kernels, sections: Sections) -> Result<String> {
    let words = (sections as usize).to_string();
    let mut printed = String::new();
    for time in [Time::Real, Time::Virtual] {
        let mut qemu = kernels.qemu(TIMER, FIRST, &words)?;
        qemu.time = time;
        let output = qemu.boot_self_checking(2)?;
        ensure!(
            time == Time::Real || !output.contains(" 0 of them inside"),
            "{TIMER}: an interrupt inside a section is missing"
        );
        printed.push_str(&output);
    }
    Ok(printed)
}

/// Runs the threads that migrate between CPUs. Returns the output.
///
/// In real time the CPUs run in parallel, with LSE and without. In virtual time a thread is
/// preempted much more often.
pub(crate) fn migration(kernels: &Kernels, sections: Sections) -> Result<String> {
    let ways = [
        (true, Time::Real, "2000 64"),
        (false, Time::Real, "2000 64"),
        // In virtual time a thread does not ask for another CPU (the word 0), because it would wait
        // long for the turn of that CPU. The timer alone causes enough migrations.
        (true, Time::Virtual, "1000 0"),
    ];
    let mut printed = String::new();
    for (lse, time, words) in ways {
        let words = format!("{} {words}", sections as usize);
        let mut qemu = kernels.qemu(MIGRATION, at(1, lse), &words)?;
        qemu.time = time;
        printed.push_str(&qemu.boot_self_checking(1)?);
    }
    Ok(printed)
}

/// The numbers of random programs in `cargo xtask test` and in the long form.
const FEW_PROGRAMS: usize = 100;
pub(crate) const MANY_PROGRAMS: usize = 500;

/// Runs S18 with real interrupts: compares `count` random programs with the reference model.
/// Returns the output.
pub(crate) fn random_programs(kernels: &Kernels, count: usize) -> Result<String> {
    let mut qemu = kernels.qemu(RANDOM_PROGRAMS, FIRST, &count.to_string())?;
    qemu.load_lines(&programs::lines(count), 0x7000_0000)?;
    qemu.boot_self_checking(2)
}

/// Returns a machine for a program, in real time. `sections` is for the programs that check
/// themselves.
pub(crate) fn in_real_time(
    kernels: &Kernels,
    name: &str,
    configuration: Configuration,
    sections: Sections,
) -> Result<Qemu> {
    let sections = (sections as usize).to_string();
    let words = match name {
        TIMER => sections,
        MIGRATION => format!("{sections} 2000 64"),
        _ => String::new(),
    };
    let mut qemu = kernels.qemu(name, configuration, &words)?;
    qemu.time = Time::Real;
    Ok(qemu)
}

/// Runs the scenario of `nested_sections`, and compares its counts with the hosted machine.
fn scenario(kernels: &Kernels, pages: usize, debug_pagealloc: bool) -> Result<()> {
    let switch = if debug_pagealloc { "on" } else { "off" };
    let words = format!("--pages {pages} --debug-pagealloc {switch}");
    let output = kernels.qemu(NESTED_SECTIONS, FIRST, &words)?.boot()?;
    compare_with_host(&output, pages, debug_pagealloc)?;
    println!("{pages} pages: the counts are equal to those of the hosted machine");
    Ok(())
}

/// Compares the counts in the output of `nested_sections` with the hosted machine.
fn compare_with_host(output: &str, pages: usize, debug_pagealloc: bool) -> Result<()> {
    let is_count = |line: &&str| WAYS.iter().any(|way| line.starts_with(way));
    let mut counts = output.lines().filter(is_count);
    for (number, way) in WAYS.into_iter().enumerate() {
        for operation in run_scenario::<Sim>(number, pages, debug_pagealloc)? {
            let line = Line {
                way,
                operation: operation.name,
                steps: &operation.steps,
            };
            let (host, cpu) = (line.to_string(), counts.next().unwrap_or("nothing more"));
            ensure!(
                cpu == host,
                "the CPU executed\n  {cpu}\nthe hosted machine\n  {host}"
            );
        }
    }
    ensure!(
        counts.next().is_none(),
        "the CPU executed more than the hosted machine"
    );
    Ok(())
}

/// Checks that `nested_sections` reports a wrong command line, and ends with code 2.
fn refuses_bad_arguments(kernels: &Kernels) -> Result<()> {
    for words in [
        "--pages 0",
        "--pages",
        "--page 7",
        "--debug-pagealloc maybe",
    ] {
        let qemu = kernels.qemu(NESTED_SECTIONS, FIRST, words)?;
        let (code, output) = qemu.boot_to_any_end()?;
        ensure!(
            code == Some(2) && output.contains("usage:"),
            "`{words}`: the program ended with {code:?}, and printed\n{output}"
        );
    }
    Ok(())
}

/// Checks the programs, two at a time, because a machine uses one CPU of the host. After a failure,
/// another program does not start.
pub(crate) fn side_by_side<T: Copy + Send + Sync>(
    programs: &[T],
    check: impl Fn(T) -> Result<()> + Sync,
) -> Result<()> {
    let next = Mutex::new(programs.iter());
    let work = || -> Result<()> {
        loop {
            // This statement releases the lock before the program runs.
            let program = next.lock().expect("a worker panicked").next();
            let Some(&program) = program else {
                return Ok(());
            };
            let result = check(program);
            if result.is_err() {
                *next.lock().expect("a worker panicked") = [].iter();
                return result;
            }
        }
    };
    thread::scope(|scope| {
        let workers = [scope.spawn(work), scope.spawn(work)];
        workers
            .into_iter()
            .try_for_each(|it| it.join().expect("a worker panicked"))
    })
}

/// The binaries of the kernels, with LSE and without.
pub(crate) struct Kernels {
    /// The target folder of cargo.
    target: PathBuf,
    /// The time limit for a program.
    patience: Duration,
}

impl Kernels {
    /// Builds all programs.
    pub(crate) fn build(shell: &Shell) -> Result<Self> {
        Self::build_some(shell, &PROGRAMS.iter().collect::<Vec<_>>(), &[true, false])
    }

    /// Builds some programs, with LSE, without, or both.
    pub(crate) fn build_some(shell: &Shell, programs: &[&Program], lse: &[bool]) -> Result<Self> {
        let target = shell.current_dir().join(KERNELS).join("target");
        let patience = Duration::from_mins(20);
        let kernels = Self { target, patience };
        for &lse in lse {
            kernels.cargo_build(shell, programs, lse)?;
        }
        Ok(kernels)
    }

    /// Builds some programs, with LSE or without.
    fn cargo_build(&self, shell: &Shell, programs: &[&Program], lse: bool) -> Result<()> {
        let _folder = shell.push_dir(KERNELS);
        let target = self.target(lse);
        let feature = if lse { "+lse" } else { "-lse" };
        // A cargo feature chooses the registers of EL2, and excludes the registers of EL1.
        for el2 in [false, true] {
            let programs = programs.iter();
            let is_built = |it: &Program| lse || it.runs.iter().any(|it| !it.lse);
            let built = programs.filter(|it| is_built(it) && (it.package == EL2) == el2);
            let bins: Vec<_> = built.clone().flat_map(|it| ["--bin", it.name]).collect();
            let packages: BTreeSet<_> = built.map(|it| it.package).collect();
            let packages = packages.into_iter().flat_map(|it| ["-p", it]);
            if bins.is_empty() {
                continue;
            }
            cmd!(
                shell,
                "cargo build --locked --release --target-dir {target} {packages...} {bins...}"
            )
            // These flags replace the flags of .cargo/config.toml.
            .env("RUSTFLAGS", format!("-Ctarget-feature={feature}"))
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .run()?;
        }
        Ok(())
    }

    fn target(&self, lse: bool) -> PathBuf {
        if lse {
            self.target.clone()
        } else {
            self.target.join("no-lse")
        }
    }

    fn binary(&self, program: &Program, lse: bool) -> PathBuf {
        let release = self.target(lse).join(TARGET).join("release");
        release.join(program.name)
    }

    /// Inspects a program, runs it in these configurations, and compares its outputs.
    fn check(&self, program: &'static Program, configurations: &[Configuration]) -> Result<()> {
        let Program { name, .. } = program;
        (program.inspect)(&self.binary(program, true))?;
        if program.short_form.is_some() || program.runs.is_empty() {
            return Ok(());
        }
        let file = format!("{KERNELS}/{name}.txt");
        let mut first: Option<String> = None;
        for configuration in configurations {
            let output = self.qemu(name, *configuration, "")?.boot()?;
            match &first {
                None => golden::compare(&file, &output),
                Some(first) => golden::same(&file, first, &output),
            }
            .with_context(|| configuration.name())?;
            first.get_or_insert(output);
        }
        let output = first.unwrap_or_default();
        if *name == NESTED_SECTIONS {
            compare_with_host(&output, 64, true)?;
        }
        let each: Vec<_> = configurations.iter().map(|it| it.name()).collect();
        // One call prints all, because another thread prints too.
        println!("== {name}: {}\n{output}", each.join("; "));
        Ok(())
    }

    /// Runs the short form of a program that checks itself.
    fn short_form(&self, program: &Program) -> Result<()> {
        let run = program.short_form.map(|run| run(self));
        run.transpose().map(drop)
    }

    /// Returns a machine for the program of this name, with `words` as its command line.
    pub(crate) fn qemu(
        &self,
        name: &str,
        configuration: Configuration,
        words: &str,
    ) -> Result<Qemu> {
        let program = PROGRAMS.iter().find(|it| it.name == name);
        let program =
            program.with_context(|| format!("the program `{name}` is not in the list"))?;
        Ok(Qemu {
            program: program.name,
            kernel: self.binary(program, configuration.lse),
            board: configuration.board(),
            words: words.to_owned(),
            time: program.time,
            patience: self.patience,
            options: Vec::new(),
        })
    }
}

/// A program, and the machine that runs it.
#[derive(Clone)]
pub(crate) struct Qemu {
    pub(crate) program: &'static str,
    pub(crate) kernel: PathBuf,
    pub(crate) board: Board,
    pub(crate) words: String,
    pub(crate) time: Time,
    pub(crate) patience: Duration,
    /// Further options of QEMU.
    pub(crate) options: Vec<String>,
}

/// Returns the options that let QEMU load the bytes of a file at a physical address.
pub(crate) fn load(file: &Path, address: u64) -> [String; 2] {
    let file = file.display();
    [
        "-device".to_owned(),
        format!("loader,file={file},addr={address:#x},force-raw=on"),
    ]
}

/// The bytes of a machine's RAM.
pub(crate) const RAM_SIZE: u64 = 1 << 30;

impl Board {
    /// A machine with four CPUs at EL1, for kernels of other projects.
    pub(crate) const EL1: Self = Self {
        name: "EL1",
        emulator: AARCH64,
        word: "",
        machine: "virt,gic-version=3",
        cpu: "cortex-a76",
        cpus: 4,
    };

    /// Returns the command that starts the machine.
    pub(crate) fn command(self) -> Command {
        let mut qemu = Command::new(self.emulator);
        qemu.args(["-machine", self.machine, "-cpu", self.cpu, "-m", "1G"]);
        qemu.args(["-smp", &self.cpus.to_string(), "-nic", "none"]);
        qemu
    }
}

impl Qemu {
    /// Lets QEMU load lines, after the number of their bytes, at the address at which the program
    /// reads them.
    pub(crate) fn load_lines(&mut self, lines: &str, address: u64) -> Result<()> {
        let mut bytes = (lines.len() as u64).to_le_bytes().to_vec();
        bytes.extend(lines.bytes());
        let file = self.kernel.with_extension("lines");
        fs::write(&file, bytes)?;
        self.options.extend(load(&file, address));
        Ok(())
    }

    /// Runs the program, which must end with code 0. Returns its output.
    pub(crate) fn boot(&self) -> Result<String> {
        let (code, output) = self.boot_to_any_end()?;
        ensure!(
            code == Some(0),
            "{}, {}: the program ended with {code:?}, and printed\n{output}",
            self.program,
            self.board.name
        );
        Ok(output)
    }

    /// Runs the program, shows its output, and returns it. The output must have `none lost` in
    /// `lines` places.
    fn boot_self_checking(&self, lines: usize) -> Result<String> {
        let output = self.boot()?;
        println!(
            "== {}, {}, {}\n{output}",
            self.program,
            self.board.name,
            self.time.name()
        );
        let found = output.matches("none lost").count();
        ensure!(
            found == lines,
            "{}: expected `none lost` {lines} times, found it {found} times",
            self.program
        );
        Ok(output)
    }

    /// Runs the program. Returns its exit code and its output.
    ///
    /// The program starts the other CPUs of the machine if it needs them.
    pub(crate) fn boot_to_any_end(&self) -> Result<(Option<i32>, String)> {
        // The first word is normally the name of the program. Here it says what the program should
        // find.
        let words = format!("{} {}", self.board.word, self.words);
        let arguments = words.trim_end().replace(' ', ",arg=");
        let semihosting = format!("enable=on,target=native,arg={arguments}");
        let cpus = self.board.cpus;
        let log = self.kernel.with_extension(format!("{words} {cpus}.log"));
        let file = File::create(&log)?;
        let mut command = self.board.command();
        let mut qemu = command
            .args(["-display", "none", "-serial", "none", "-monitor", "none"])
            .args(["-semihosting-config", &semihosting])
            .args(self.time.options())
            .args(&self.options)
            .arg("-kernel")
            .arg(&self.kernel)
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("cannot start {}", self.board.emulator))?;
        let start = Instant::now();
        let status = loop {
            if let Some(status) = qemu.try_wait()? {
                break status;
            }
            if start.elapsed() > self.patience {
                qemu.kill()?;
                qemu.wait()?;
                let printed = fs::read_to_string(&log)?;
                bail!(
                    "{} did not end in time, and printed\n{printed}",
                    self.program
                );
            }
            thread::sleep(Duration::from_millis(20));
        };
        Ok((status.code(), fs::read_to_string(&log)?))
    }
}
