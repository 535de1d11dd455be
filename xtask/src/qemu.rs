//! `cargo xtask qemu`: the kernels, built, run and compared.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use lazy_mmu::sim::Sim;
use lazy_mmu_examples::host::run_scenario;
use lazy_mmu_examples::scenario::{MAX_PAGES, WAYS};
use lazy_mmu_examples::trace::Line;
use xshell::{Shell, cmd};

use crate::setup::TARGET;
use crate::{asm, disassembly, programs, size};

/// How long a program may take before it counts as hung; and where each takes seconds.
const PATIENCE: Duration = Duration::from_mins(20);
const LITTLE_PATIENCE: Duration = Duration::from_mins(2);

#[derive(clap::Args, Clone, Copy)]
pub(crate) struct Args {
    /// Only this program, in each configuration
    #[arg(value_parser = program, conflicts_with_all = ["quick", "pages", "debug_pagealloc"])]
    program: Option<&'static str>,

    /// How many pages each operation maps
    #[arg(long, default_value_t = 64, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=MAX_PAGES as u64))]
    pages: usize,

    /// Whether free frames are unmapped from the linear map
    #[arg(long, value_enum, default_value = "on", value_name = "on|off")]
    debug_pagealloc: Switch,

    /// Each program in one configuration only, without the timer's: what the mutants of the library are tested with
    #[arg(long, conflicts_with_all = ["pages", "debug_pagealloc", "bless"])]
    quick: bool,

    /// Write what the program prints by default into its expected output, instead of comparing
    #[arg(long)]
    bless: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Switch {
    On,
    Off,
}

impl Args {
    /// Those whose output stands in the file.
    const DEFAULT: Self = Self {
        program: None,
        pages: 64,
        debug_pagealloc: Switch::On,
        quick: false,
        bless: false,
    };

    /// Whether a program is built that the C form is linked with.
    pub(crate) fn need_c_form(&self) -> bool {
        self.program
            .is_none_or(|it| !SMALL_PACKAGES.contains(&folder(it)))
    }

    fn are_default(&self) -> bool {
        self.pages == Self::DEFAULT.pages && self.debug_pagealloc == Self::DEFAULT.debug_pagealloc
    }

    fn to_words(self) -> [String; 4] {
        let switch = match self.debug_pagealloc {
            Switch::On => "on",
            Switch::Off => "off",
        };
        [
            "--pages".into(),
            self.pages.to_string(),
            "--debug-pagealloc".into(),
            switch.into(),
        ]
    }
}

/// The kernels, each with its expected output beside the package.
const PROGRAMS: [&str; 17] = [
    FIRST_KERNEL,
    NESTED_SECTIONS,
    EARLY_GLOBAL,
    "other_writes",
    "paging_crate",
    "multiarch_crate",
    "device_driver",
    "descriptors",
    EL2_WITHOUT_VHE,
    INTERRUPTS,
    BUDGETS,
    COMPARISON,
    SCALE,
    TASKS,
    RECIPES[0],
    RECIPES[1],
    RECIPES[2],
];

/// The kernel that is read first.
const FIRST_KERNEL: &str = "first_kernel";

/// The recipes for the place of the bits.
pub(crate) const RECIPES: [&str; 3] = ["byte_per_task", "byte_per_cpu", "byte_swapped"];

/// The ones that are for EL1 only.
const EL1_ONLY: [&str; 5] = [TASKS, FIRST_KERNEL, RECIPES[0], RECIPES[1], RECIPES[2]];

/// The folders of packages with few programs, which the C form is not linked with.
const SMALL_PACKAGES: [&str; 3] = [EARLY, "first_kernel", "recipes"];
const EARLY: &str = "early";

/// The folder in `examples` whose package has the program.
fn folder(program: &str) -> &'static str {
    match program {
        EARLY_GLOBAL => EARLY,
        FIRST_KERNEL => "first_kernel",
        _ if RECIPES.contains(&program) => "recipes",
        _ => "qemu",
    }
}

/// Reads the name of a program on the command line.
fn program(name: &str) -> Result<&'static str, String> {
    let known = PROGRAMS.into_iter().find(|it| *it == name);
    known.ok_or_else(|| format!("the programs are {}", PROGRAMS.join(", ")))
}

/// The ones that count instructions, beside the C form's: built for EL1 with LSE only.
pub(crate) const BUDGETS: &str = "budgets";
pub(crate) const COMPARISON: &str = "comparison";
/// And the one that does so on several CPUs, and for a million pages, for which the PMU counts: in virtual time.
const SCALE: &str = "scale";

/// The ones whose output depends on how they are built.
const COUNTING: [&str; 4] = [INTERRUPTS, BUDGETS, COMPARISON, SCALE];

/// The one that counts interrupts at instruction boundaries, which the build decides; and that needs a GICv3.
const INTERRUPTS: &str = "interrupts";

/// How many pages its scenario maps, in `cargo xtask test` and in the long form.
const SCENARIO_PAGES: usize = 2;
const MANY_SCENARIO_PAGES: usize = 16;

/// The one with threads and several CPUs, single-stepped.
const TASKS: &str = "tasks";

/// The one that is not linked where it runs at first: a package of its own.
const EARLY_GLOBAL: &str = "early_global";

/// The one that is for EL2 only.
const EL2_WITHOUT_VHE: &str = "el2_without_vhe";

/// The one that has arguments, and whose counts the hosted machine gives too.
const NESTED_SECTIONS: &str = "nested_sections";

/// A way to build and to run the kernels. What they print must not depend on it.
#[derive(Clone, Copy)]
struct Configuration {
    name: &'static str,
    /// Whether atomics are single instructions (FEAT_LSE), or loops of exclusive loads and stores.
    lse: bool,
    /// The Exception level, as the kernels are told.
    level: &'static str,
    machine: &'static str,
    cpu: &'static str,
}

const CONFIGURATIONS: [Configuration; 4] = [
    Configuration {
        name: "EL1, with LSE",
        lse: true,
        level: "el1",
        machine: "virt",
        cpu: "cortex-a76",
    },
    Configuration {
        name: "EL2, with LSE",
        lse: true,
        level: "el2",
        machine: "virt,virtualization=on",
        cpu: "cortex-a76",
    },
    Configuration {
        name: "EL1, without LSE",
        lse: false,
        level: "el1",
        machine: "virt",
        // It has no LSE: such an instruction would not be executed.
        cpu: "cortex-a72",
    },
    Configuration {
        name: "EL2, without LSE",
        lse: false,
        level: "el2",
        machine: "virt,virtualization=on",
        // The first with FEAT_VHE.
        cpu: "cortex-a76",
    },
];

/// Of the build with LSE, which the C form has too.
const LSE_FEATURES: &str = "el1,c-form";

/// The kernels of both builds.
pub(crate) struct Kernels {
    /// The target folders of the build with LSE, and of the one without. The program of EL2's own registers has one inside
    /// each: it does not get into the way of the others' parts.
    targets: [PathBuf; 2],
}

impl Kernels {
    pub(crate) fn build(shell: &Shell) -> Result<Self> {
        let kernels = Self::build_lse(shell)?;
        build_levels(shell, &kernels.targets[1], "-lse")?;
        Ok(kernels)
    }

    /// Only those with LSE.
    fn build_lse(shell: &Shell) -> Result<Self> {
        let targets = Self::targets(shell);
        build_levels(shell, &targets[0], "+lse")?;
        Ok(Self { targets })
    }

    fn targets(shell: &Shell) -> [PathBuf; 2] {
        let target = shell.current_dir().join("target");
        [target.clone(), target.join("no-lse")]
    }

    fn get(&self, program: &str, configuration: Configuration) -> PathBuf {
        let mut path = self.targets[usize::from(!configuration.lse)].clone();
        if program == EL2_WITHOUT_VHE {
            path.push("el2");
        }
        path.join(TARGET).join("kernel").join(program)
    }
}

/// The programs whose counts depend on the machine's speed: they check themselves, and say so.
const TIMER: &str = "timer";
const MIGRATION: &str = "migration";

/// Random programs of sections, which are given to it.
const RANDOM_PROGRAMS: &str = "programs";
/// How many in `cargo xtask test`.
const FEW_PROGRAMS: usize = 100;
/// And in the long form.
pub(crate) const MANY_PROGRAMS: usize = 500;

/// How many sections they run: in `cargo xtask test`, and in the long form.
#[derive(Clone, Copy)]
pub(crate) enum Sections {
    Short = 100_000,
    Long = 1_000_000,
}

/// Row C05, with more pages in its scenario than `cargo xtask test` has; returns what was printed.
pub(crate) fn interrupts(kernels: &Kernels) -> Result<String> {
    let words = [MANY_SCENARIO_PAGES.to_string()];
    Qemu::new(kernels, INTERRUPTS, CONFIGURATIONS[0], &words).boot_self_checking(1)
}

/// Runs the sections under the generic timer, in real and in virtual time; returns what was printed.
pub(crate) fn timer(kernels: &Kernels, sections: Sections) -> Result<String> {
    let words = [(sections as usize).to_string()];
    let configuration = CONFIGURATIONS[0];
    let mut printed = String::new();
    for time in [Time::Real, Time::Virtual] {
        let mut qemu = Qemu::new(kernels, TIMER, configuration, &words);
        qemu.time = time;
        let output = qemu.boot_self_checking(2)?;
        ensure!(
            time == Time::Real || !output.contains(" 0 of them inside"),
            "{TIMER}: no interrupt inside a section"
        );
        printed.push_str(&output);
    }
    Ok(printed)
}

/// Runs the threads that migrate between CPUs: all CPUs at once, with LSE and without; and in virtual time, where a thread is
/// preempted much more often. Returns what was printed.
pub(crate) fn migration(kernels: &Kernels, sections: Sections) -> Result<String> {
    let ways = [
        (CONFIGURATIONS[0], Time::Real, ["2000", "64"]),
        (CONFIGURATIONS[2], Time::Real, ["2000", "64"]),
        // There it would wait long for the other CPU's turn; and the timer suffices.
        (CONFIGURATIONS[0], Time::Virtual, ["1000", "0"]),
    ];
    let mut printed = String::new();
    for (configuration, time, [ticks, forced]) in ways {
        let words = [(sections as usize).to_string(), ticks.into(), forced.into()];
        let mut qemu = Qemu::new(kernels, MIGRATION, configuration, &words);
        qemu.time = time;
        printed.push_str(&qemu.boot_self_checking(1)?);
    }
    Ok(printed)
}

/// What time it is for the machine.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Time {
    /// The host's. Each CPU is a thread of the host's, so several run at once.
    Real,
    /// That of the instructions: one is a nanosecond. The CPUs take turns. The timer interrupts more often than the host's could.
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

/// Row S18 with interrupts from the real stream: `count` random programs, compared with the reference model.
pub(crate) fn random_programs(kernels: &Kernels, count: usize) -> Result<String> {
    let words = [count.to_string()];
    let mut qemu = Qemu::new(kernels, RANDOM_PROGRAMS, CONFIGURATIONS[0], &words);
    let lines = programs::lines(count);
    let mut bytes = (lines.len() as u64).to_le_bytes().to_vec();
    bytes.extend(lines.bytes());
    let file = qemu.kernel.with_extension("lines");
    fs::write(&file, bytes)?;
    // Where the program looks for them.
    qemu.loaded = Some((file, 0x7000_0000));
    qemu.boot_self_checking(2)
}

/// What `cargo xtask test` runs too: each program in each configuration, and the short forms of those that check themselves.
fn short_forms(kernels: &Kernels, args: &Args) -> Result<()> {
    everything(kernels, args)?;
    timer(kernels, Sections::Short)?;
    migration(kernels, Sections::Short)?;
    random_programs(kernels, FEW_PROGRAMS)?;
    Ok(())
}

/// One program. If it is in a small package, nothing else is built.
fn one(shell: &Shell, program: &str, args: &Args) -> Result<()> {
    let kernels = if args.need_c_form() {
        Kernels::build(shell)?
    } else {
        let targets = Kernels::targets(shell);
        for (target, lse) in targets.iter().zip(["+lse", "-lse"]) {
            build_small(shell, folder(program), target, lse)?;
        }
        Kernels { targets }
    };
    everything(&kernels, args)
}

/// What the compiler made of them.
fn disassembly(kernels: &Kernels) -> Result<()> {
    let other_writes = kernels.get("other_writes", CONFIGURATIONS[0]);
    disassembly::check(&kernels.get(NESTED_SECTIONS, CONFIGURATIONS[0]))?;
    disassembly::check(&other_writes)?;
    disassembly::check_tlbi(&other_writes)
}

/// The golden assembly, and the size of the text.
fn golden(kernels: &Kernels, bless: bool) -> Result<()> {
    asm::check(&kernels.get(BUDGETS, CONFIGURATIONS[0]), bless)?;
    size::check(
        &kernels.get("size_lazy", CONFIGURATIONS[0]),
        &kernels.get("size_eager", CONFIGURATIONS[0]),
    )
}

/// Each program once, in the build with LSE; but for those that count instructions, to which any change is one.
fn quick(shell: &Shell) -> Result<()> {
    let kernels = Kernels::build_lse(shell)?;
    disassembly(&kernels)?;
    for program in PROGRAMS
        .into_iter()
        .filter(|it| ![BUDGETS, COMPARISON, SCALE].contains(it))
    {
        let configuration = CONFIGURATIONS[usize::from(program == EL2_WITHOUT_VHE)];
        let words = words(program, &Args::DEFAULT);
        let mut qemu = Qemu::new(&kernels, program, configuration, &words);
        qemu.patience = LITTLE_PATIENCE;
        let output = qemu.boot()?;
        compare_with_file(&output, program)?;
    }
    Ok(())
}

pub(crate) fn run(shell: &Shell, args: &Args) -> Result<()> {
    if args.quick {
        return quick(shell);
    }
    if let Some(program) = args.program {
        return one(shell, program, args);
    }
    let kernels = Kernels::build(shell)?;
    disassembly(&kernels)?;
    golden(&kernels, args.bless)?;
    if args.are_default() {
        short_forms(&kernels, args)
    } else {
        for configuration in CONFIGURATIONS {
            let output = boot(&kernels, NESTED_SECTIONS, configuration, &args.to_words())?;
            println!("== {NESTED_SECTIONS}, {}\n{output}", configuration.name);
            compare_with_host(&output, args)?;
        }
        Ok(())
    }
}

/// The short form for `cargo xtask test`.
pub(crate) fn test(shell: &Shell) -> Result<()> {
    let kernels = Kernels::build(shell)?;
    disassembly(&kernels)?;
    golden(&kernels, false)?;
    short_forms(&kernels, &Args::DEFAULT)?;
    for (pages, debug_pagealloc) in [(1, Switch::On), (512, Switch::On), (600, Switch::Off)] {
        let args = Args {
            pages,
            debug_pagealloc,
            ..Args::DEFAULT
        };
        let output = boot(
            &kernels,
            NESTED_SECTIONS,
            CONFIGURATIONS[0],
            &args.to_words(),
        )?;
        compare_with_host(&output, &args)?;
    }
    refuses_bad_arguments(&kernels)
}

/// The golden assembly alone.
pub(crate) fn assembly(shell: &Shell, bless: bool) -> Result<()> {
    let kernels = Kernels::build_lse(shell)?;
    asm::check(&kernels.get(BUDGETS, CONFIGURATIONS[0]), bless)
}

/// What the programs print that count the three forms: up to 512 pages, and up to a million and on several CPUs.
pub(crate) fn comparison(shell: &Shell) -> Result<[String; 2]> {
    let kernels = Kernels::build_lse(shell)?;
    Ok([
        boot(&kernels, COMPARISON, CONFIGURATIONS[0], &[])?,
        boot(&kernels, SCALE, CONFIGURATIONS[0], &[])?,
    ])
}

/// A program's command line.
fn words(program: &str, args: &Args) -> Vec<String> {
    match program {
        NESTED_SECTIONS => args.to_words().to_vec(),
        INTERRUPTS => vec![SCENARIO_PAGES.to_string()],
        _ => Vec::new(),
    }
}

/// Each program in each configuration.
fn everything(kernels: &Kernels, args: &Args) -> Result<()> {
    let programs: Vec<_> = PROGRAMS
        .into_iter()
        .filter(|it| args.program.is_none_or(|only| only == *it))
        .collect();
    println!("the programs: {}", programs.join(", "));
    for program in programs {
        let words = words(program, args);
        let configurations = CONFIGURATIONS
            .into_iter()
            .filter(|it| program != EL2_WITHOUT_VHE || it.level == "el2")
            .filter(|it| !COUNTING.contains(&program) || (it.level == "el1" && it.lse))
            .filter(|it| !EL1_ONLY.contains(&program) || it.level == "el1");
        for (number, configuration) in configurations.enumerate() {
            let output = boot(kernels, program, configuration, &words)?;
            println!("== {program}, {}", configuration.name);
            if number == 0 {
                println!("{output}");
                if program == NESTED_SECTIONS {
                    compare_with_host(&output, args)?;
                }
                if args.bless {
                    let file = expected_file(program)?;
                    fs::write(&file, &output)?;
                    println!("{} is written: read what became of it", file.display());
                }
            }
            compare_with_file(&output, program).with_context(|| configuration.name)?;
        }
    }
    if args.program.is_none() {
        println!(
            "B26 B27 {} programs print the same at EL1 and at EL2, with LSE and without\n",
            // The last one is for EL2 only.
            PROGRAMS.len() - COUNTING.len() - EL1_ONLY.len() - 1
        );
    }
    Ok(())
}

/// Builds all programs.
fn build_levels(shell: &Shell, target: &Path, lse: &str) -> Result<()> {
    build(shell, KERNELS, &target.join("el2"), lse, "el2")?;
    let features = if lse == "+lse" { LSE_FEATURES } else { "el1" };
    build(shell, KERNELS, target, lse, features)?;
    for folder in SMALL_PACKAGES {
        build_small(shell, folder, target, lse)?;
    }
    Ok(())
}

/// The package of most programs.
const KERNELS: &str = "lazy-mmu-qemu";

/// Builds the programs of the small package in `folder`.
fn build_small(shell: &Shell, folder: &str, target: &Path, lse: &str) -> Result<()> {
    let package = format!("lazy-mmu-{}", folder.replace('_', "-"));
    let features = if folder == EARLY { "" } else { "kernel" };
    build(shell, &package, target, lse, features)
}

/// Builds all programs of a package, with one set of register names.
fn build(shell: &Shell, package: &str, target: &Path, lse: &str, features: &str) -> Result<()> {
    Ok(cmd!(
        shell,
        "cargo build --locked -p {package} --bins --no-default-features --features {features} --profile kernel --target {TARGET} --target-dir {target}"
    )
    // This replaces the flags of .cargo/config.toml.
    .env("RUSTFLAGS", format!("-Ctarget-feature={lse}"))
    .env_remove("CARGO_ENCODED_RUSTFLAGS")
    .run()?)
}

/// The counts that the program printed are those of the hosted machine.
fn compare_with_host(output: &str, args: &Args) -> Result<()> {
    let counts: Vec<&str> = output
        .lines()
        .filter(|line| WAYS.iter().any(|way| line.starts_with(way)))
        .collect();
    let hosted = hosted_counts(args)?;
    ensure!(
        counts.len() == hosted.len(),
        "the program printed {} lines of counts, the hosted machine {}",
        counts.len(),
        hosted.len()
    );
    for (cpu, host) in counts.iter().zip(&hosted) {
        ensure!(
            cpu == host,
            "the CPU executed\n  {cpu}\nthe hosted machine\n  {host}"
        );
    }
    println!(
        "{} pages: all {} lines of counts are the hosted machine's\n",
        args.pages,
        counts.len()
    );
    Ok(())
}

/// Where the output is that a program is expected to give.
fn expected_file(program: &str) -> Result<PathBuf> {
    Ok(crate::workspace()?.join(format!("examples/{}/{program}.txt", folder(program))))
}

/// What the program printed is what stands in its file.
fn compare_with_file(output: &str, program: &str) -> Result<()> {
    let file = expected_file(program)?;
    let expected =
        fs::read_to_string(&file).with_context(|| format!("{} cannot be read", file.display()))?;
    for (number, (is, should)) in output.lines().zip(expected.lines()).enumerate() {
        ensure!(
            is == should,
            "{}:{}: expected\n  {should}\nthe program printed\n  {is}",
            file.display(),
            number + 1
        );
    }
    ensure!(
        output == expected,
        "{} has another number of lines than the program printed",
        file.display()
    );
    Ok(())
}

/// The lines that the hosted machine gives for the same arguments.
fn hosted_counts(args: &Args) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    for (number, way) in WAYS.into_iter().enumerate() {
        let operations =
            run_scenario::<Sim>(number, args.pages, args.debug_pagealloc == Switch::On)?;
        lines.extend(operations.iter().map(|operation| {
            let line = Line {
                way,
                operation: operation.name,
                steps: &operation.steps,
            };
            line.to_string()
        }));
    }
    Ok(lines)
}

/// The program says what is wrong with its command line, and ends with 2.
fn refuses_bad_arguments(kernels: &Kernels) -> Result<()> {
    for words in [
        &["--pages", "0"][..],
        &["--pages"],
        &["--page", "7"],
        &["--debug-pagealloc", "maybe"],
    ] {
        let words: Vec<String> = words.iter().map(|&it| it.into()).collect();
        let (code, output) =
            Qemu::new(kernels, NESTED_SECTIONS, CONFIGURATIONS[0], &words).boot_to_any_end()?;
        ensure!(
            code == Some(2) && output.contains("usage:"),
            "{words:?}: ended with {code:?}, and printed\n{output}"
        );
    }
    Ok(())
}

/// Runs `program` in QEMU; returns what it printed.
fn boot(
    kernels: &Kernels,
    program: &'static str,
    configuration: Configuration,
    arguments: &[String],
) -> Result<String> {
    Qemu::new(kernels, program, configuration, arguments).boot()
}

/// A program, and the machine that runs it.
struct Qemu<'a> {
    program: &'static str,
    kernel: PathBuf,
    configuration: Configuration,
    arguments: &'a [String],
    time: Time,
    patience: Duration,
    /// A file that QEMU loads, and the physical address.
    loaded: Option<(PathBuf, u64)>,
}

impl<'a> Qemu<'a> {
    fn new(
        kernels: &Kernels,
        program: &'static str,
        configuration: Configuration,
        arguments: &'a [String],
    ) -> Self {
        Self {
            program,
            kernel: kernels.get(program, configuration),
            configuration,
            arguments,
            time: if program == SCALE {
                Time::Virtual
            } else {
                Time::Real
            },
            patience: PATIENCE,
            loaded: None,
        }
    }

    /// Runs it; returns what it printed.
    fn boot(&self) -> Result<String> {
        let (code, output) = self.boot_to_any_end()?;
        ensure!(
            code == Some(0),
            "{}, {}: ended with {code:?}, and printed\n{output}",
            self.program,
            self.configuration.name
        );
        Ok(output)
    }

    /// Runs it, and shows what it printed, in which it says `lines` times that nothing was lost; returns that.
    fn boot_self_checking(&self, lines: usize) -> Result<String> {
        let output = self.boot()?;
        println!(
            "== {}, {}, {}\n{output}",
            self.program,
            self.configuration.name,
            self.time.name()
        );
        let found = output.matches("none lost").count();
        ensure!(
            found == lines,
            "{}: it says {found} times that nothing was lost, and {lines} are expected",
            self.program
        );
        Ok(output)
    }

    /// Runs it; returns its exit code and what it printed.
    fn boot_to_any_end(&self) -> Result<(Option<i32>, String)> {
        // The first word is the program's name; ours says at which Exception level it should find itself.
        let level = self.configuration.level;
        let mut semihosting = format!("enable=on,target=native,arg={level}");
        for argument in self.arguments {
            semihosting.push_str(",arg=");
            semihosting.push_str(argument);
        }
        let mut machine = self.configuration.machine.to_owned();
        if [INTERRUPTS, TIMER, TASKS, MIGRATION, RANDOM_PROGRAMS, SCALE].contains(&self.program) {
            machine.push_str(",gic-version=3");
        }
        let log = self.kernel.with_extension(format!("{level}.log"));
        let file = File::create(&log)?;
        let mut qemu = Command::new("qemu-system-aarch64")
            .args(["-machine", &machine])
            .args(["-cpu", self.configuration.cpu, "-m", "1G"])
            .args([
                "-nic", "none", "-display", "none", "-serial", "none", "-monitor", "none",
            ])
            .args(["-semihosting-config", &semihosting])
            .args([
                "-smp",
                if [TASKS, MIGRATION, SCALE].contains(&self.program) {
                    "4"
                } else {
                    "1"
                },
            ])
            .args(self.time.options())
            .args(self.loaded.iter().flat_map(|(file, address)| {
                let file = file.display();
                [
                    "-device".to_owned(),
                    format!("loader,file={file},addr={address:#x},force-raw=on"),
                ]
            }))
            .arg("-kernel")
            .arg(&self.kernel)
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .context("qemu-system-aarch64 cannot be started")?;
        let start = Instant::now();
        let status = loop {
            if let Some(status) = qemu.try_wait()? {
                break status;
            }
            if start.elapsed() > self.patience {
                qemu.kill()?;
                qemu.wait()?;
                bail!(
                    "the program hangs; it printed\n{}",
                    fs::read_to_string(&log)?
                );
            }
            sleep(Duration::from_millis(20));
        };
        Ok((status.code(), fs::read_to_string(&log)?))
    }
}
