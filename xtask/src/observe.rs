//! `cargo xtask observe`: runs kernels under the observer, a plugin of QEMU. It reports each access
//! that relies on a barrier that was not executed.
//!
//! The kernel runs as a copy with trampolines, and its RAM is a file that the plugin reads too.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use anyhow::{Context, Result, bail, ensure};
use lazy_mmu_observer::trampolines::{self, Observable};
use object::{Architecture, Object as _};
use xshell::{Shell, cmd};

use crate::qemu::{
    self, Board, CASES, Configuration, FIRST, Kernels, MIGRATION, MULTIARCH, PROGRAMS, Program,
    Qemu, RAM_SIZE, Sections,
};
use crate::symbols::Symbols;
use crate::{barriers, riscv64};

/// What a kernel of another project must do for the observer.
const OTHER_KERNELS: &str = "\
A kernel of another project runs as it is, and does not need this project's crate:
- It is an ELF file for QEMU's `virt` board, of aarch64 or RISC-V, with 1 GiB of RAM. On RISC-V,
  OpenSBI starts it at 0x80200000 or above. The RAM below 0x801f0000 is the firmware's.
- Its tables have a granule of 4 KiB. The observer looks at the addresses of TTBR1_EL1 or of satp.
- It maps the address of the trampolines like its code, at the same distance from the physical
  address, and does not use that memory. The address is at most 128 MiB away from its code, and
  1 MiB on RISC-V.
- It does not load or store below its stack pointer.
- From its entry point to the first use of the stack pointer, it does not execute an
  `msr ttbr1_el1`, `msr tcr_el1`, `csrw satp` or invalidation that the observer must know.
- A loop that executes `isb`, as `core::hint::spin_loop` does, hides a missing one before it.

The options of QEMU may replace those of this command: `-machine virt,gic-version=3 -cpu cortex-a76
-smp 4 -m 1G -nic none -nographic`, and `-machine virt -cpu rv64` on RISC-V.";

#[derive(clap::Args)]
#[command(after_long_help = OTHER_KERNELS)]
pub(crate) struct Args {
    /// Run only this program, in each configuration
    #[arg(value_parser = parse_program, conflicts_with = "kernel")]
    program: Option<&'static Program>,

    /// Run this ELF file, the kernel of another project, instead of this project's programs. This
    /// terminal is its serial line, and Ctrl-A X ends it
    #[arg(long, value_name = "FILE")]
    kernel: Option<PathBuf>,

    /// The address of the kernel's exception vectors, if it writes VBAR_EL1 before it has a stack
    #[arg(long, value_name = "ADDRESS", value_parser = parse_address, requires = "kernel")]
    vectors: Option<u64>,

    /// An address at which the kernel maps executable memory that it does not use [default:
    /// 0x46000000, and 0x801f0000 on RISC-V]
    #[arg(long, value_name = "ADDRESS", value_parser = parse_address, requires = "kernel")]
    trampolines: Option<u64>,

    /// Further options of QEMU, for example `-cpu cortex-a72`
    #[arg(last = true, value_name = "QEMU OPTIONS", requires = "kernel")]
    options: Vec<String>,
}

fn parse_program(name: &str) -> Result<&'static Program, String> {
    let program = PROGRAMS.iter().find(|it| it.name == name);
    match program {
        Some(Program {
            unobserved: Some(reason),
            ..
        }) => Err(format!("it is not observed: {reason}")),
        Some(program) if !program.runs.is_empty() => Ok(program),
        _ => {
            let names: Vec<_> = observed().map(|it| it.name).collect();
            Err(format!("the programs are {}", names.join(", ")))
        }
    }
}

fn parse_address(text: &str) -> Result<u64, String> {
    let digits = text.trim_start_matches("0x").replace('_', "");
    u64::from_str_radix(&digits, 16).map_err(|_| "expected an address such as 0x46000000".into())
}

/// Returns the programs that are observed.
fn observed() -> impl Iterator<Item = &'static Program> {
    let programs = PROGRAMS.iter();
    programs.filter(|it| it.unobserved.is_none() && !it.runs.is_empty())
}

/// Runs the command.
pub(crate) fn run(shell: &Shell, args: &Args) -> Result<()> {
    let observer = Observer::build(shell)?;
    if let Some(kernel) = &args.kernel {
        return observer.other_kernel(kernel, args);
    }
    let programs: Vec<_> = observed()
        .filter(|it| args.program.is_none_or(|only| only.name == it.name))
        .collect();
    let kernels = Kernels::build_some(shell, &programs, &[true, false])?;
    observer.observe(&kernels, &programs)
}

/// Runs the part of `cargo xtask test`.
pub(crate) fn test(shell: &Shell) -> Result<()> {
    let observer = Observer::build(shell)?;
    let programs: Vec<_> = observed().collect();
    let with_cases = PROGRAMS.iter().filter(|it| it.name == CASES);
    let built: Vec<_> = programs.iter().copied().chain(with_cases).collect();
    let kernels = Kernels::build_some(shell, &built, &[true, false])?;
    observer.names_a_broken_plugin(&kernels)?;
    observer.cases(&kernels)?;
    observer.recipe(&kernels)?;
    observer.observe(&kernels, &programs)?;
    barriers::short_form(&observer, &kernels)?;
    for program in PROGRAMS {
        if let Some(reason) = program.unobserved {
            println!("== {}: not observed: {reason}", program.name);
        }
    }
    Ok(())
}

/// How the observer runs a kernel.
#[derive(Default)]
pub(crate) struct How<'a> {
    /// The addresses of the instructions that are removed.
    pub(crate) removed: &'a [u64],
    /// Whether the first report ends the run.
    pub(crate) stop: bool,
    /// Whether the observer counts for each barrier how often an access relied on it alone.
    pub(crate) sites: bool,
    /// The address of the exception vectors, if not the symbol of `aarch64-rt` has it.
    pub(crate) vectors: Option<u64>,
    /// The address of the trampolines, if it is not the usual one.
    pub(crate) trampolines: Option<u64>,
}

/// The plugin.
pub(crate) struct Observer {
    plugin: PathBuf,
    /// The folder for the files of a run.
    target: PathBuf,
}

impl Observer {
    pub(crate) fn build(shell: &Shell) -> Result<Self> {
        let target = shell.current_dir().join("target");
        cmd!(
            shell,
            "cargo build --locked --release --target-dir {target} -p lazy-mmu-observer-plugin"
        )
        .run()?;
        let plugin = target.join("release/liblazy_mmu_observer_plugin.so");
        Ok(Self { plugin, target })
    }

    /// Runs the programs in their configurations. The observer must not report anything.
    fn observe(&self, kernels: &Kernels, programs: &[&'static Program]) -> Result<()> {
        let runs: Vec<_> = programs
            .iter()
            .flat_map(|program| program.runs.iter().map(|run| (program.name, *run)))
            .collect();
        qemu::side_by_side(&runs, |(name, configuration)| {
            self.observe_one(kernels, name, configuration, Sections::Short)
                .map(drop)
        })
    }

    /// Runs the threads that migrate between CPUs, with many sections. Returns the counts.
    pub(crate) fn migration(&self, kernels: &Kernels) -> Result<String> {
        self.observe_one(kernels, MIGRATION, FIRST, Sections::Long)
    }

    fn observe_one(
        &self,
        kernels: &Kernels,
        name: &str,
        configuration: Configuration,
        sections: Sections,
    ) -> Result<String> {
        let title = format!("{name}, {}", configuration.name());
        let qemu = qemu::in_real_time(kernels, name, configuration, sections)?;
        let (end, log) = self.run(qemu, &How::default())?;
        log.ensure_silent().context(title.clone())?;
        ensure!(
            end.code == Some(0),
            "{title}: the program ended with {:?} under the observer, and printed\n{}",
            end.code,
            end.output
        );
        ensure!(
            log.entries > 0,
            "{title}: the observer did not see a change of an entry"
        );
        println!("== {title}: {log}");
        Ok(log.to_string())
    }

    /// Runs each case of the program `cases`. The observer must report only the wrong ones.
    fn cases(&self, kernels: &Kernels) -> Result<()> {
        let machine = |words: &str| -> Result<Qemu> {
            let mut qemu = kernels.qemu(CASES, FIRST, words)?;
            qemu.options.extend(["-cpu", "max"].map(str::to_owned));
            Ok(qemu)
        };
        let list = machine("")?.boot()?;
        let cases = list.lines().map(|it| it.split_once(' '));
        let cases: Option<Vec<_>> = cases.collect();
        let cases = cases.with_context(|| format!("{CASES} does not print its cases: {list}"))?;
        let [right, wrong] = [true, false].map(|right| {
            let is = cases.iter().filter(|it| (it.1 == "right") == right);
            is.count()
        });
        ensure!(right > 0 && wrong > 0, "{CASES} prints {list}");
        qemu::side_by_side(&cases, |(name, expected)| {
            self.judge(machine(name)?, name, expected)
        })?;
        println!("== {CASES}: {right} right ones, and {wrong} wrong ones with reports");
        Ok(())
    }

    /// Runs the recipe of `page_table_multiarch` with its section, and without it.
    fn recipe(&self, kernels: &Kernels) -> Result<()> {
        let runs = [
            ("with_section", "right"),
            ("without_section", "missing-dsb"),
            ("alone", "frame-reuse"),
        ];
        for (word, expected) in runs {
            let qemu = kernels.qemu(MULTIARCH, FIRST, word)?;
            self.judge(qemu, word, expected)?;
            println!("== {MULTIARCH}, {word}: {expected}");
        }
        Ok(())
    }

    /// Runs a program. Each report must be of the `expected` kind, or there must not be one if the
    /// program is `right`.
    fn judge(&self, qemu: Qemu, words: &str, expected: &str) -> Result<()> {
        let title = format!("{}, {words}: expected {expected}", qemu.program);
        let (end, log) = self.run(qemu, &How::default())?;
        ensure!(
            end.code == Some(0),
            "{title}; it ended with {:?}, and printed\n{}",
            end.code,
            end.output
        );
        if expected == "right" {
            return log.ensure_silent().context(title);
        }
        let texts: Vec<_> = log.reports.iter().map(|it| it.text.as_str()).collect();
        let mut kinds = log.reports.iter().map(|it| &it.kind);
        ensure!(
            !texts.is_empty() && kinds.all(|it| it == expected),
            "{title}; the observer reports\n{}",
            texts.join("\n")
        );
        Ok(())
    }

    /// Runs a kernel of another project, with this terminal as its serial line.
    fn other_kernel(&self, kernel: &Path, args: &Args) -> Result<()> {
        let run = Run::prepare(
            self,
            kernel,
            &How {
                vectors: args.vectors,
                trampolines: args.trampolines,
                ..How::default()
            },
        )?;
        let elf = fs::read(kernel)?;
        let board = match object::File::parse(&*elf)?.architecture() {
            Architecture::Riscv64 => riscv64::FOUR_HARTS,
            _ => Board::EL1,
        };
        let status = board
            .command()
            .arg("-nographic")
            .args(&run.options)
            .args(&args.options)
            .arg("-kernel")
            .arg(&run.kernel)
            .status()
            .with_context(|| format!("cannot start {}", board.emulator))?;
        let log = run.log().with_context(|| format!("QEMU: {status}"))?;
        log.ensure_silent()?;
        println!("== {}: {log}", kernel.display());
        Ok(())
    }

    /// Runs a program under the observer, to any end.
    pub(crate) fn run(&self, mut qemu: Qemu, how: &How<'_>) -> Result<(End, Log)> {
        let run = Run::prepare(self, &qemu.kernel, how)?;
        qemu.options.extend_from_slice(&run.options);
        qemu.kernel.clone_from(&run.kernel);
        let (code, output) = qemu.boot_to_any_end()?;
        let log = run.log().map_err(|error| {
            let line = output.lines().find(|it| it.contains("plugin"));
            match line {
                Some(line) => anyhow::anyhow!(
                    "this QEMU cannot load the observer, {}: it must have plugins with API 1, as \
                     QEMU 7.2 of Debian has: {line}",
                    self.plugin.display()
                ),
                None => error.context(format!("QEMU ended with {code:?}, and printed\n{output}")),
            }
        })?;
        Ok((End { code, output }, log))
    }

    /// Checks the error for a plugin that QEMU cannot load.
    fn names_a_broken_plugin(&self, kernels: &Kernels) -> Result<()> {
        let broken = Self {
            plugin: self.target.join("debug/broken-plugin.so"),
            target: self.target.clone(),
        };
        fs::write(&broken.plugin, "not a plugin")?;
        let program = observed().next().context("a program is observed")?;
        let qemu = qemu::in_real_time(kernels, program.name, program.runs[0], Sections::Short)?;
        let Err(error) = broken.run(qemu, &How::default()) else {
            bail!("a broken plugin must be an error");
        };
        let text = format!("{error:#}");
        ensure!(
            text.starts_with("this QEMU cannot load the observer") && text.lines().count() == 1,
            "a broken plugin has another error: {text}"
        );
        println!("a plugin that QEMU cannot load is an error");
        Ok(())
    }
}

/// How a program ended.
pub(crate) struct End {
    pub(crate) code: Option<i32>,
    pub(crate) output: String,
}

/// The files of a run. Dropping it removes them.
struct Run {
    folder: PathBuf,
    /// The copy of the kernel.
    kernel: PathBuf,
    /// The original, which has the symbols.
    original: PathBuf,
    observable: Observable,
    /// The options of QEMU.
    options: Vec<String>,
    /// The guest's RAM, which QEMU and the plugin open too.
    _ram: File,
}

impl Run {
    fn prepare(observer: &Observer, original: &Path, how: &How<'_>) -> Result<Self> {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Relaxed);
        let elf = fs::read(original).with_context(|| format!("{}", original.display()))?;
        let address = match how.trampolines {
            Some(address) => address,
            None => trampolines::usual_address(&elf)?,
        };
        let observable = trampolines::insert(&elf, address, how.removed)
            .with_context(|| format!("cannot observe {}", original.display()))?;
        let name = format!("observed-{}-{number}", process::id());
        let folder = observer.target.join(&name);
        fs::create_dir_all(&folder)?;
        let [kernel, code] = ["kernel", "trampolines"].map(|it| folder.join(it));
        let (ram, ram_path) = ram(&name, &observer.target)?;
        let mut run = Self {
            folder,
            kernel,
            original: original.to_owned(),
            observable,
            options: Vec::new(),
            _ram: ram,
        };
        fs::write(&run.kernel, &run.observable.elf)?;
        fs::write(&code, &run.observable.code)?;
        let mut plugin = format!(
            "{},ram={ram_path},log={},trampolines={address:#x},size={:#x}",
            observer.plugin.display(),
            run.log_path().display(),
            run.observable.code.len(),
        );
        if let Some(vectors) = how.vectors.or(run.observable.vectors) {
            write!(plugin, ",vectors={vectors:#x}")?;
        }
        for (name, is_on) in [("stop", how.stop), ("sites", how.sites)] {
            if is_on {
                write!(plugin, ",{name}=on")?;
            }
        }
        run.options = vec![
            "-object".to_owned(),
            format!("memory-backend-file,id=ram,size={RAM_SIZE},share=on,mem-path={ram_path}"),
            "-machine".to_owned(),
            "memory-backend=ram".to_owned(),
            "-plugin".to_owned(),
            plugin,
        ];
        if !run.observable.is_empty() {
            run.options.extend(qemu::load(&code, run.observable.load));
        }
        Ok(run)
    }

    fn log_path(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// Reads what the observer has written.
    fn log(&self) -> Result<Log> {
        let text =
            fs::read_to_string(self.log_path()).context("the observer did not write a log")?;
        Log::parse(&text, &self.observable, &self.original)
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // A file that stays does not make a result wrong.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Creates the file of the guest's RAM. Returns it and its path.
///
/// The file does not have a name any more, so that it always ends with this process. QEMU and the
/// plugin open it by its number.
fn ram(name: &str, target: &Path) -> Result<(File, String)> {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { memory } else { target };
    let path = folder.join(name);
    let file = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)
        .with_context(|| format!("cannot create {} for the guest's RAM", path.display()))?;
    fs::remove_file(&path)?;
    file.set_len(RAM_SIZE)?;
    let number = file.as_raw_fd();
    Ok((file, format!("/proc/{}/fd/{number}", process::id())))
}

/// What the observer has written.
pub(crate) struct Log {
    pub(crate) reports: Vec<Report>,
    pub(crate) sites: Vec<Site>,
    /// The recordings of a RISC-V kernel, in order: the number of the mark, and the steps as the
    /// observer prints them.
    pub(crate) recordings: Vec<(u16, String)>,
    accesses: u64,
    entries: u64,
}

/// Accesses of an instruction that rely on a barrier that was not executed.
pub(crate) struct Report {
    pub(crate) kind: String,
    /// The sentence of the observer, and the places of the addresses in it.
    text: String,
}

/// A barrier or an invalidation that was executed.
pub(crate) struct Site {
    pub(crate) address: u64,
    /// How many accesses relied on this barrier, and not on another one.
    pub(crate) relied: u64,
}

impl Log {
    fn parse(text: &str, observable: &Observable, kernel: &Path) -> Result<Self> {
        let mut log = Self {
            reports: Vec::new(),
            sites: Vec::new(),
            recordings: Vec::new(),
            accesses: 0,
            entries: 0,
        };
        let mut symbols = None;
        let mut ended = false;
        for line in text.lines() {
            let bad = || format!("cannot understand this line of the observer: {line}");
            let (kind, rest) = line.split_once(' ').with_context(bad)?;
            match kind {
                "report" => {
                    let symbols = match &symbols {
                        Some(symbols) => symbols,
                        None => symbols.insert(Places::read(kernel, observable)?),
                    };
                    log.reports
                        .push(Report::parse(rest, symbols).with_context(bad)?);
                }
                "site" => log.sites.push(Site {
                    address: observable.origin(number(rest, "pc").with_context(bad)?),
                    relied: number(rest, "relied").with_context(bad)?,
                }),
                "steps" => {
                    let (number, steps) = rest.split_once(':').with_context(bad)?;
                    let number = number.parse().with_context(bad)?;
                    log.recordings.push((number, steps.trim_start().to_owned()));
                }
                "end" => {
                    let [loads, stores, entries] = ["loads", "stores", "changes"];
                    let count = |key| number(rest, key).with_context(bad);
                    log.accesses = count(loads)? + count(stores)?;
                    log.entries = count(entries)?;
                    ended = true;
                }
                _ => bail!(bad()),
            }
        }
        ensure!(ended, "the observer did not end its log");
        Ok(log)
    }

    /// # Errors
    ///
    /// There are reports, which the error has.
    pub(crate) fn ensure_silent(&self) -> Result<()> {
        let reports: Vec<_> = self.reports.iter().map(|it| it.text.as_str()).collect();
        ensure!(
            reports.is_empty(),
            "reports of the observer: {}\n{}",
            reports.len(),
            reports.join("\n")
        );
        Ok(())
    }
}

impl std::fmt::Display for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} accesses, {} entries changed, {} reports",
            self.accesses,
            self.entries,
            self.reports.len()
        )
    }
}

/// Returns the number of `key` in words such as `key=0x10`.
fn number(words: &str, key: &str) -> Option<u64> {
    let mut pairs = words.split(' ').filter_map(|it| it.split_once('='));
    let (_, value) = pairs.find(|(name, _)| *name == key)?;
    match value.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => value.parse().ok(),
    }
}

/// The places of the addresses of a kernel.
struct Places<'a> {
    symbols: Symbols,
    /// The addresses of the instructions, in order.
    instructions: Vec<u64>,
    observable: &'a Observable,
}

impl<'a> Places<'a> {
    fn read(kernel: &Path, observable: &'a Observable) -> Result<Self> {
        let instructions = trampolines::instructions(&fs::read(kernel)?)?;
        Ok(Self {
            symbols: Symbols::read(kernel)?,
            instructions: instructions.iter().map(|it| it.address).collect(),
            observable,
        })
    }

    /// Returns a line for an address that is in the kernel's code.
    fn line(&self, address: u64) -> Option<String> {
        let origin = self.observable.origin(address);
        self.instructions.binary_search(&origin).ok()?;
        let place = self.symbols.place(origin).ok()?;
        Some(format!("\n    {address:#x} is in {place}"))
    }
}

impl Report {
    /// Parses `KIND cpu=N pc=0xPC times=N: TEXT`.
    fn parse(line: &str, places: &Places<'_>) -> Option<Self> {
        let (head, text) = line.split_once(": ")?;
        let (kind, words) = head.split_once(' ')?;
        let [cpu, pc, times] = ["cpu", "pc", "times"].map(|it| number(words, it));
        let pc = pc?;
        let mut report = format!(
            "  {kind} (times: {}, first on CPU {}): {text}",
            times?, cpu?
        );
        report.extend(places.line(pc));
        for word in text.split("0x").skip(1) {
            let end = word.find(|it: char| !it.is_ascii_hexdigit());
            let address = u64::from_str_radix(&word[..end.unwrap_or(word.len())], 16);
            report.extend(
                address
                    .ok()
                    .filter(|&it| it != pc)
                    .and_then(|it| places.line(it)),
            );
        }
        Some(Self {
            kind: kind.to_owned(),
            text: report,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_by_their_keys() {
        let words = "cpu=3 pc=0x4008_ times=12";
        assert_eq!(number(words, "cpu"), Some(3));
        assert_eq!(number("pc=0x40087a10 relied=0", "pc"), Some(0x4008_7a10));
        assert_eq!(number(words, "times"), Some(12));
        assert_eq!(number(words, "pc"), None);
        assert_eq!(number(words, "sites"), None);
    }

    #[test]
    fn addresses_are_hexadecimal() {
        for text in ["0x46000000", "46000000", "0x4600_0000"] {
            assert_eq!(parse_address(text), Ok(0x4600_0000));
        }
        assert!(parse_address("trampolines").is_err());
    }
}
