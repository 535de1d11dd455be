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
use crate::{asm, disassembly, size};

/// How long a program may take before it counts as hung.
const PATIENCE: Duration = Duration::from_mins(10);

#[derive(clap::Args, Clone, Copy)]
pub(crate) struct Args {
    /// How many pages each operation maps
    #[arg(long, default_value_t = 64, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=MAX_PAGES as u64))]
    pages: usize,

    /// Whether free frames are unmapped from the linear map
    #[arg(long, value_enum, default_value = "on", value_name = "on|off")]
    debug_pagealloc: Switch,

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
        pages: 64,
        debug_pagealloc: Switch::On,
        bless: false,
    };

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
const PROGRAMS: [&str; 9] = [
    NESTED_SECTIONS,
    "other_writes",
    "paging_crate",
    "multiarch_crate",
    "device_driver",
    EL2_WITHOUT_VHE,
    INTERRUPTS,
    BUDGETS,
    COMPARISON,
];

/// The ones that count instructions, beside the C form's: built for EL1 with LSE only.
pub(crate) const BUDGETS: &str = "budgets";
pub(crate) const COMPARISON: &str = "comparison";

/// The ones whose output depends on how they are built.
const COUNTING: [&str; 3] = [INTERRUPTS, BUDGETS, COMPARISON];

/// The one that counts interrupts at instruction boundaries, which the build decides; and that needs a GICv3.
const INTERRUPTS: &str = "interrupts";

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
struct Kernels {
    /// The target folders of the build with LSE, and of the one without. The program of EL2's own registers has one inside
    /// each: it does not get into the way of the others' parts.
    targets: [PathBuf; 2],
}

impl Kernels {
    /// The programs at EL1 with LSE only.
    fn build_lse(shell: &Shell) -> Result<Self> {
        let target = shell.current_dir().join("target");
        build(shell, &target, "+lse", LSE_FEATURES)?;
        Ok(Self {
            targets: [target.clone(), target.join("no-lse")],
        })
    }

    fn build(shell: &Shell) -> Result<Self> {
        let target = shell.current_dir().join("target");
        let kernels = Self {
            targets: [target.clone(), target.join("no-lse")],
        };
        for (target, lse) in kernels.targets.iter().zip(["+lse", "-lse"]) {
            build(shell, &target.join("el2"), lse, "el2")?;
            let features = if lse == "+lse" { LSE_FEATURES } else { "el1" };
            build(shell, target, lse, features)?;
        }
        Ok(kernels)
    }

    fn get(&self, program: &str, configuration: Configuration) -> PathBuf {
        let mut path = self.targets[usize::from(!configuration.lse)].clone();
        if program == EL2_WITHOUT_VHE {
            path.push("el2");
        }
        path.join(TARGET).join("kernel").join(program)
    }
}

/// Sections under the generic timer; what it prints depends on the machine's speed, and it checks itself.
const TIMER: &str = "timer";
/// How many sections it runs: in `cargo xtask test`, and else.
const TIMER_SECTIONS: [usize; 2] = [100_000, 1_000_000];

/// Runs the program of the generic timer.
fn timer(kernels: &Kernels, sections: usize) -> Result<()> {
    let output = boot(kernels, TIMER, CONFIGURATIONS[0], &[sections.to_string()])?;
    println!("== {TIMER}, {}\n{output}", CONFIGURATIONS[0].name);
    ensure!(
        output.matches("none lost").count() == 2,
        "{TIMER}: two lines are expected"
    );
    Ok(())
}

pub(crate) fn run(shell: &Shell, args: &Args) -> Result<()> {
    let kernels = Kernels::build(shell)?;
    disassembly::check(&kernels.get(NESTED_SECTIONS, CONFIGURATIONS[0]))?;
    disassembly::check_tlbi(&kernels.get("other_writes", CONFIGURATIONS[0]))?;
    asm::check(&kernels.get(BUDGETS, CONFIGURATIONS[0]), args.bless)?;
    size::check(
        &kernels.get("size_lazy", CONFIGURATIONS[0]),
        &kernels.get("size_eager", CONFIGURATIONS[0]),
    )?;
    if args.are_default() {
        everything(&kernels, args)?;
        timer(&kernels, TIMER_SECTIONS[1])
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
    disassembly::check(&kernels.get(NESTED_SECTIONS, CONFIGURATIONS[0]))?;
    disassembly::check_tlbi(&kernels.get("other_writes", CONFIGURATIONS[0]))?;
    asm::check(&kernels.get(BUDGETS, CONFIGURATIONS[0]), false)?;
    size::check(
        &kernels.get("size_lazy", CONFIGURATIONS[0]),
        &kernels.get("size_eager", CONFIGURATIONS[0]),
    )?;
    everything(&kernels, &Args::DEFAULT)?;
    timer(&kernels, TIMER_SECTIONS[0])?;
    for (pages, debug_pagealloc) in [(1, Switch::On), (512, Switch::On), (600, Switch::Off)] {
        let args = Args {
            pages,
            debug_pagealloc,
            bless: false,
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

/// What the program that counts the three forms prints.
pub(crate) fn comparison(shell: &Shell) -> Result<String> {
    let kernels = Kernels::build_lse(shell)?;
    boot(&kernels, COMPARISON, CONFIGURATIONS[0], &[])
}

/// Each program in each configuration.
fn everything(kernels: &Kernels, args: &Args) -> Result<()> {
    println!("the programs: {}", PROGRAMS.join(", "));
    for program in PROGRAMS {
        let words = if program == NESTED_SECTIONS {
            args.to_words().to_vec()
        } else {
            Vec::new()
        };
        let configurations = CONFIGURATIONS
            .into_iter()
            .filter(|it| program != EL2_WITHOUT_VHE || it.level == "el2")
            .filter(|it| !COUNTING.contains(&program) || (it.level == "el1" && it.lse));
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
    println!(
        "B26 B27 {} programs print the same at EL1 and at EL2, with LSE and without\n",
        PROGRAMS.len() - COUNTING.len() - 1
    );
    Ok(())
}

/// Builds all programs of one set of register names.
fn build(shell: &Shell, target: &Path, lse: &str, features: &str) -> Result<()> {
    Ok(cmd!(
        shell,
        "cargo build --locked -p lazy-mmu-qemu --bins --no-default-features --features {features} --profile kernel --target {TARGET} --target-dir {target}"
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
    Ok(crate::workspace()?.join(format!("examples/qemu/{program}.txt")))
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
        let (code, output) = boot_to_any_end(kernels, NESTED_SECTIONS, CONFIGURATIONS[0], &words)?;
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
    program: &str,
    configuration: Configuration,
    arguments: &[String],
) -> Result<String> {
    let (code, output) = boot_to_any_end(kernels, program, configuration, arguments)?;
    ensure!(
        code == Some(0),
        "{program}, {}: ended with {code:?}, and printed\n{output}",
        configuration.name
    );
    Ok(output)
}

/// Runs `program` in QEMU; returns its exit code and what it printed.
fn boot_to_any_end(
    kernels: &Kernels,
    program: &str,
    configuration: Configuration,
    arguments: &[String],
) -> Result<(Option<i32>, String)> {
    let kernel = kernels.get(program, configuration);
    // The first word is the program's name; ours says at which Exception level it should find itself.
    let mut semihosting = format!("enable=on,target=native,arg={}", configuration.level);
    for argument in arguments {
        semihosting.push_str(",arg=");
        semihosting.push_str(argument);
    }
    let mut machine = configuration.machine.to_owned();
    if [INTERRUPTS, TIMER].contains(&program) {
        machine.push_str(",gic-version=3");
    }
    let log = kernel.with_extension(format!("{}.log", configuration.level));
    let file = File::create(&log)?;
    let mut qemu = Command::new("qemu-system-aarch64")
        .args(["-machine", &machine])
        .args(["-cpu", configuration.cpu, "-m", "1G"])
        .args([
            "-nic", "none", "-display", "none", "-serial", "none", "-monitor", "none",
        ])
        .args(["-semihosting-config", &semihosting])
        .arg("-kernel")
        .arg(&kernel)
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
        if start.elapsed() > PATIENCE {
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
