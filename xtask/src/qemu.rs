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

use crate::disassembly;
use crate::setup::TARGET;

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

pub(crate) fn run(shell: &Shell, args: &Args) -> Result<()> {
    let program = build(shell)?;
    disassembly::check(&program)?;
    compare(&program, args)
}

/// The short form for `cargo xtask test`.
pub(crate) fn test(shell: &Shell) -> Result<()> {
    let program = build(shell)?;
    disassembly::check(&program)?;
    compare(&program, &Args::DEFAULT)?;
    for (pages, debug_pagealloc) in [(1, Switch::On), (512, Switch::On), (600, Switch::Off)] {
        let args = Args {
            pages,
            debug_pagealloc,
            bless: false,
        };
        compare(&program, &args)?;
    }
    refuses_bad_arguments(&program)
}

fn build(shell: &Shell) -> Result<PathBuf> {
    let folder = shell.current_dir().join("target");
    // These would replace the flags of .cargo/config.toml.
    cmd!(
        shell,
        "cargo build --locked -p lazy-mmu-qemu --bins --profile kernel --target {TARGET} --target-dir {folder}"
    )
    .env_remove("RUSTFLAGS")
    .env_remove("CARGO_ENCODED_RUSTFLAGS")
    .run()?;
    Ok(folder.join(TARGET).join("kernel/nested_sections"))
}

/// Runs the program, prints what it prints, and compares that with the hosted machine and with the file.
fn compare(program: &Path, args: &Args) -> Result<()> {
    let (code, output) = boot(program, &args.to_words())?;
    println!("{output}");
    ensure!(code == Some(0), "the program ended with {code:?}");

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

    let file = crate::workspace()?.join("examples/qemu/nested_sections.txt");
    if args.bless {
        ensure!(
            args.are_default(),
            "only the default output stands in the file"
        );
        fs::write(&file, &output)?;
        println!("{} is written: read what became of it", file.display());
    } else if args.are_default() {
        let expected = fs::read_to_string(&file)?;
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
    }
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
fn refuses_bad_arguments(program: &Path) -> Result<()> {
    for words in [
        &["--pages", "0"][..],
        &["--pages"],
        &["--page", "7"],
        &["--debug-pagealloc", "maybe"],
    ] {
        let words: Vec<String> = words.iter().map(|&it| it.into()).collect();
        let (code, output) = boot(program, &words)?;
        ensure!(
            code == Some(2) && output.contains("usage:"),
            "{words:?}: ended with {code:?}, and printed\n{output}"
        );
    }
    Ok(())
}

/// Runs `program` in QEMU; returns its exit code and what it printed.
fn boot(program: &Path, arguments: &[String]) -> Result<(Option<i32>, String)> {
    let mut semihosting = String::from("enable=on,target=native,arg=nested_sections");
    for argument in arguments {
        semihosting.push_str(",arg=");
        semihosting.push_str(argument);
    }
    let log = program.with_extension("log");
    let file = File::create(&log)?;
    let mut qemu = Command::new("qemu-system-aarch64")
        .args(["-machine", "virt", "-cpu", "cortex-a76", "-m", "1G"])
        .args([
            "-nic", "none", "-display", "none", "-serial", "none", "-monitor", "none",
        ])
        .args(["-semihosting-config", &semihosting])
        .arg("-kernel")
        .arg(program)
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
