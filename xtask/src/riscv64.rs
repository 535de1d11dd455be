//! The kernels for RISC-V. They run under the observer, which reports a missing fence, and records
//! the stores and the fences of the operations that the kernels mark. The programs that count
//! instructions do so without the observer.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::fmt::Write as _;
use std::fs;
use std::iter;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use lazy_mmu::sim::Sim;
use lazy_mmu_examples::host::run_scenario;
use lazy_mmu_examples::scenario::WAYS;
use lazy_mmu_examples::trace::{Counts, repetition};
use lazy_mmu_observer::trampolines;
use xshell::{Shell, cmd};

use crate::observe::{How, Log, Observer};
use crate::qemu::{Board, Qemu, Time, side_by_side};
use crate::setup::RISCV64;
use crate::{asm, counts, golden, programs};

/// The workspace of the kernels.
pub(crate) const KERNELS: &str = "examples/qemu_riscv64";

/// A kernel, and the way to test it.
struct Program {
    name: &'static str,
    package: &'static str,
    boards: &'static [Board],
    check: fn(&Kernels, &Program, Board) -> Result<()>,
}

const KERNELS_PACKAGE: &str = "lazy-mmu-qemu-riscv64";
/// The package of the programs that are linked with the C form.
const BESIDE_C: &str = "lazy-mmu-beside-c-riscv64";

/// The programs. Each runs on each of its boards.
const PROGRAMS: [Program; 5] = [
    Program {
        name: NESTED_SECTIONS,
        package: KERNELS_PACKAGE,
        boards: &BOARDS,
        check: Kernels::compare_with_golden_file,
    },
    Program {
        name: "programs",
        package: KERNELS_PACKAGE,
        boards: &BOARDS,
        check: Kernels::compare_with_model,
    },
    Program {
        name: MIGRATION,
        package: KERNELS_PACKAGE,
        boards: &[BOARDS[2], BOARDS[3]],
        check: Kernels::migrate,
    },
    Program {
        name: "budgets",
        package: BESIDE_C,
        boards: &[BOARDS[0]],
        check: Kernels::compare_budgets,
    },
    Program {
        name: COMPARISON,
        package: BESIDE_C,
        boards: &[BOARDS[0]],
        check: Kernels::compare_forms,
    },
];

const NESTED_SECTIONS: &str = "nested_sections";
const MIGRATION: &str = "migration";
const COMPARISON: &str = "comparison";

/// How the harts of `migration` reach each other. The firmware takes longest.
#[derive(Clone, Copy)]
struct Policy {
    word: &'static str,
    /// The number of sections in the short form.
    sections: usize,
}

const POLICIES: [Policy; 3] = [
    Policy {
        word: "on-fault",
        sections: 1000,
    },
    Policy {
        word: "interrupt",
        sections: 400,
    },
    Policy {
        word: "sbi",
        sections: 100,
    },
];

const fn board(name: &'static str, mode: &'static str, cpus: u8) -> Board {
    Board {
        name,
        emulator: "qemu-system-riscv64",
        word: mode,
        machine: "virt",
        cpu: "rv64,svinval=on",
        cpus,
    }
}

const BOARDS: [Board; 4] = [
    board("Sv39, 1 hart", "sv39", 1),
    board("Sv48, 1 hart", "sv48", 1),
    board("Sv39, 4 harts", "sv39", 4),
    board("Sv48, 4 harts", "sv48", 4),
];

/// A machine for kernels of other projects too.
pub(crate) const FOUR_HARTS: Board = BOARDS[2];

/// Runs all programs, or those of this name, and compares their outputs.
pub(crate) fn run(shell: &Shell, name: Option<&str>) -> Result<()> {
    let programs = name.map_or_else(|| PROGRAMS.iter().collect(), named);
    if programs.is_empty() {
        return Ok(());
    }
    Kernels::build(shell, &programs)?.check(&programs)
}

/// Returns the programs of this name.
fn named(name: &str) -> Vec<&'static Program> {
    PROGRAMS.iter().filter(|it| it.name == name).collect()
}

/// Runs the program that tests the mutants of the library, on several harts.
pub(crate) fn quick(shell: &Shell) -> Result<()> {
    let [program, ..] = &PROGRAMS;
    let kernels = Kernels::build(shell, &[program])?;
    (program.check)(&kernels, program, BOARDS[3])
}

/// Runs the part of `cargo xtask test`.
pub(crate) fn test(shell: &Shell) -> Result<()> {
    let all: Vec<_> = PROGRAMS.iter().collect();
    let kernels = Kernels::build(shell, &all)?;
    kernels.check(&all)?;
    kernels.removed_fences()
}

/// Returns the counts of the three forms, for `cargo xtask bench`.
pub(crate) fn comparison(shell: &Shell) -> Result<String> {
    Kernels::build(shell, &named(COMPARISON))?.comparison(BOARDS[0])
}

/// Runs the long form of the threads that migrate. Returns the outputs.
pub(crate) fn migration(shell: &Shell) -> Result<String> {
    const TIMES: usize = 10;
    let kernels = Kernels::build(shell, &named(MIGRATION))?;
    let mut outputs = String::new();
    for board in BOARDS.into_iter().filter(|it| it.cpus > 1) {
        for policy in POLICIES {
            let sections = TIMES * policy.sections;
            outputs += &kernels.migration(MIGRATION, board, policy, sections)?;
        }
    }
    Ok(outputs)
}

/// Returns machines that run the threads that migrate for a short time. They reach the other harts
/// on fault and by interrupts. The firmware does it for invalidations.
pub(crate) fn short_migrations(shell: &Shell) -> Result<Vec<Qemu>> {
    let kernels = Kernels::build(shell, &named(MIGRATION))?;
    // On fault, each thread has each form of a section twice. It does not ask for another hart,
    // because the switch would fence between a store and the use of the mapping.
    let words = ["333 10000 0 on-fault", "133 10000 8 interrupt"];
    let machine = |words| kernels.qemu(MIGRATION, BOARDS[2], words);
    Ok(words.into_iter().map(machine).collect())
}

/// The numbers of the kernels' marks.
const OPERATION: u16 = 1;
const HANDLER: u16 = 2;

/// The binaries of the kernels, and the observer.
struct Kernels {
    observer: Observer,
    binaries: PathBuf,
}

impl Kernels {
    /// Builds the programs. Only one package of them needs the C compiler.
    fn build(shell: &Shell, programs: &[&Program]) -> Result<Self> {
        let observer = Observer::build(shell)?;
        let _folder = shell.push_dir(KERNELS);
        let packages: BTreeSet<_> = programs.iter().map(|it| it.package).collect();
        let packages = packages.into_iter().flat_map(|it| ["-p", it]);
        cmd!(shell, "cargo build --locked --release {packages...} --bins").run()?;
        let binaries = shell.current_dir().join("target");
        let binaries = binaries.join(RISCV64).join("release");
        Ok(Self { observer, binaries })
    }

    /// Runs these programs on their boards.
    fn check(&self, programs: &[&Program]) -> Result<()> {
        let runs = programs.iter();
        let runs: Vec<_> = runs
            .flat_map(|program| program.boards.iter().map(move |&board| (program, board)))
            .collect();
        side_by_side(&runs, |(program, board)| {
            (program.check)(self, program, board)
                .with_context(|| format!("{}, {}", program.name, board.name))
        })
    }

    fn qemu(&self, name: &'static str, board: Board, words: &str) -> Qemu {
        Qemu {
            program: name,
            kernel: self.binaries.join(name),
            board,
            words: words.to_owned(),
            time: Time::Real,
            patience: Duration::from_mins(10),
            options: Vec::new(),
        }
    }

    /// Runs a program, which must end with code 0 and without a report. Returns its output, and
    /// what the observer has written.
    fn observe(&self, qemu: Qemu) -> Result<(String, Log)> {
        let (end, log) = self.observer.run(qemu, &How::default())?;
        log.ensure_silent()?;
        let code = end.code;
        ensure!(
            code == Some(0),
            "the program ended with {code:?}, and printed\n{}",
            end.output
        );
        Ok((end.output, log))
    }

    /// Compares the output, with the steps in their places, with the file of the program.
    fn compare_with_golden_file(&self, program: &Program, board: Board) -> Result<()> {
        let name = program.name;
        let (output, log) = self.observe(self.qemu(name, board, ""))?;
        let output = join(&output, &log)?;
        golden::compare(&format!("{KERNELS}/{name}.txt"), &output)?;
        compare_with_host(&output)?;
        println!("== {name}, {}: {log}\n{output}", board.name);
        Ok(())
    }

    /// Compares the assembly and the counts of instructions with the files of the program.
    fn compare_budgets(&self, program: &Program, board: Board) -> Result<()> {
        let name = program.name;
        asm::check(&self.binaries.join(name), KERNELS)?;
        let output = self.count(name, board)?;
        golden::compare(&format!("{KERNELS}/{name}.txt"), &output)?;
        println!("== {name}, {}\n{output}", board.name);
        Ok(())
    }

    /// Runs a program that counts instructions. It runs in virtual time and without the observer,
    /// because its trampolines are instructions too.
    fn count(&self, name: &'static str, board: Board) -> Result<String> {
        let mut qemu = self.qemu(name, board, "");
        qemu.time = Time::Virtual;
        qemu.boot()
    }

    /// Compares the counts and the steps of each form with the file of the program.
    fn compare_forms(&self, program: &Program, board: Board) -> Result<()> {
        let output = self.comparison(board)?;
        golden::compare(&format!("{KERNELS}/{}.txt", program.name), &output)?;
        println!("== {}, {}\n{output}", program.name, board.name);
        Ok(())
    }

    /// Returns a line for each operation, place of the bits, and number of pages. For each form, it
    /// has the instructions of the first run, and the fences of the second. The forms must have the
    /// same steps, which end the line.
    fn comparison(&self, board: Board) -> Result<String> {
        let counts = self.count(COMPARISON, board)?;
        let (_, log) = self.observe(self.qemu(COMPARISON, board, "steps"))?;
        let mut recordings = log.recordings.iter();
        let mut steps_of = HashMap::new();
        let mut text = format!(
            "{:<20} {:<5} {:>5}  {:<14} {:<14} {:<14} steps of each\n",
            "operation", "bits", "pages", "ours", "C", "limit"
        );
        for line in counts.lines() {
            let words: Vec<_> = line.split(' ').collect();
            let [operation, bits, pages, counts @ ..] = &words[..] else {
                bail!("not a line of the comparison: {line}");
            };
            let mut row = format!("{operation:<20} {bits:<5} {pages:>5} ");
            let mut order = String::new();
            for count in counts {
                let (_, steps) = recordings.next().context("each form is recorded")?;
                let first = *steps_of.entry((*operation, *pages)).or_insert(steps);
                ensure!(steps == first, "{line}: the steps are {steps} and {first}");
                let steps = letters(steps)?;
                let fences = steps.iter().filter(|&&it| it == 'F').count();
                write!(row, " {count:>8} {fences:>5}")?;
                order = self::order(&steps);
            }
            writeln!(text, "{}", format!("{row}  {order}").trim_end())?;
        }
        ensure!(recordings.next().is_none(), "more forms are recorded");
        Ok(text)
    }

    /// Compares the steps of random programs, with interrupts and without, with the reference
    /// model.
    fn compare_with_model(&self, program: &Program, board: Board) -> Result<()> {
        // The number of programs, and how often each of them runs while the timer interrupts it.
        // The fences of several harts take long, because the firmware interrupts each of them.
        let (count, times) = if board.cpus == 1 { (100, 8) } else { (50, 1) };
        let words = format!("{count} {times}");
        let mut qemu = self.qemu(program.name, board, &words);
        let lines = programs::lines(count);
        qemu.load_lines(&lines, 0xb000_0000)?;
        let (output, log) = self.observe(qemu)?;

        let of = |number| {
            let recordings = log.recordings.iter().filter(move |it| it.0 == number);
            recordings.map(|it| it.1.as_str())
        };
        let once = lines.lines();
        let often = lines.lines().flat_map(|line| iter::repeat_n(line, times));
        let all = once.chain(often);
        // The bits are in one place, and then in the other.
        let mut expected = all.clone().chain(all);
        let mut recorded = of(OPERATION);
        loop {
            match (expected.next(), recorded.next()) {
                (None, None) => break,
                (Some(line), Some(steps)) => {
                    let (ops, model) = line.split_once(' ').context("a program and its steps")?;
                    // On RISC-V, one fence is the barrier pair.
                    let model = model.replace("DI", "F");
                    let steps: String = letters(steps)?.iter().collect();
                    ensure!(
                        steps == model,
                        "{ops}: the model does {model}, but the crate does {steps}"
                    );
                }
                (Some(line), None) => bail!("{line}: it did not run"),
                (None, Some(_)) => bail!("more programs ran than there are"),
            }
        }
        let interrupts = counts::figures(&output, &["interrupts"])?;
        let interrupts = counts::before(&interrupts, " interrupts")?;
        ensure!(
            of(HANDLER).count() == interrupts,
            "each interrupt is recorded"
        );
        for steps in of(HANDLER) {
            ensure!(steps == "S F S f", "the handler does {steps}");
        }
        println!("== {}, {}: {log}\n{output}", program.name, board.name);
        Ok(())
    }

    /// Runs the threads that migrate, with each policy.
    fn migrate(&self, program: &Program, board: Board) -> Result<()> {
        for policy in POLICIES {
            let output = self.migration(program.name, board, policy, policy.sections)?;
            ensure!(
                output.contains("none lost"),
                "{MIGRATION} printed\n{output}"
            );
        }
        println!(
            "C10 C12 R02 R03 R05 R06 {MIGRATION}, {}: {} ways to reach the other harts",
            board.name,
            POLICIES.len()
        );
        Ok(())
    }

    /// Runs the threads that migrate. Returns the output.
    fn migration(
        &self,
        name: &'static str,
        board: Board,
        policy: Policy,
        sections: usize,
    ) -> Result<String> {
        // The timer interrupts every millisecond.
        let words = format!("{sections} 10000 8 {}", policy.word);
        let (output, log) = self.observe(self.qemu(name, board, &words))?;
        println!("== {name}, {}: {log}\n{output}", board.name);
        Ok(output)
    }

    /// Removes each fence on which an access relied alone, and each barrier before a link. The
    /// observer must report the access or the link.
    fn removed_fences(&self) -> Result<()> {
        const FENCE_W_W: u32 = 0x0110_000f;
        let run = |how: &How<'_>| {
            let qemu = self.qemu(NESTED_SECTIONS, BOARDS[0], "");
            self.observer.run(qemu, how)
        };
        let (_, log) = run(&How {
            sites: true,
            ..How::default()
        })?;
        let kernel = fs::read(self.binaries.join(NESTED_SECTIONS))?;
        let instructions = trampolines::instructions(&kernel)?.into_iter();
        let barriers = instructions.filter(|it| it.word == FENCE_W_W);
        let barriers: Vec<_> = barriers.map(|it| it.address).collect();
        let sites = log.sites.iter().filter_map(|it| {
            let is_barrier = barriers.contains(&it.address);
            let kind = if is_barrier {
                "unordered-table"
            } else {
                "missing-sfence"
            };
            (is_barrier || it.relied > 0).then_some((it.address, kind))
        });
        let sites: Vec<_> = sites.collect();
        side_by_side(&sites, |(site, kind)| {
            let (_, log) = run(&How {
                removed: &[site],
                stop: true,
                ..How::default()
            })?;
            let kinds: Vec<_> = log.reports.iter().map(|it| it.kind.as_str()).collect();
            ensure!(
                kinds == [kind],
                "without the fence at {site:#x}, the reports are {kinds:?}"
            );
            Ok(())
        })?;
        for kind in ["missing-sfence", "unordered-table"] {
            let number = sites.iter().filter(|it| it.1 == kind).count();
            ensure!(number > 0, "{NESTED_SECTIONS} relies on a fence");
            println!("R13 {NESTED_SECTIONS}: {number} fences, each of which prevents `{kind}`");
        }
        Ok(())
    }
}

/// Compares the scenario of `nested_sections` with the hosted machine: a fence of all addresses is
/// the barrier pair. The number of new tables differs, because it depends on the layout of the
/// addresses.
fn compare_with_host(output: &str) -> Result<()> {
    let is_count = |line: &&str| WAYS.iter().any(|way| line.starts_with(way));
    let mut lines = output.lines().filter(is_count);
    for (number, way) in WAYS.into_iter().enumerate() {
        for operation in run_scenario::<Sim>(number, 64, true)? {
            let Counts { stores, pairs, .. } = Counts::of(&operation.steps);
            let host = format!(
                "{way} {} stores {stores} sfence.vma {pairs} ",
                operation.name
            );
            let line = lines.next().unwrap_or("nothing more");
            if operation.name == "build_tables" {
                continue;
            }
            let hart = line.split_whitespace().collect::<Vec<_>>().join(" ");
            ensure!(
                hart.starts_with(&host),
                "the hart executed\n  {line}\nthe hosted machine\n  {host}"
            );
        }
    }
    Ok(())
}

/// Puts the steps of the recordings into the places `<steps N>` of the output, in order.
fn join(output: &str, log: &Log) -> Result<String> {
    let mut left: VecDeque<_> = log.recordings.iter().collect();
    let mut joined = String::new();
    let mut parts = output.split("<steps ");
    joined.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let (number, rest) = part.split_once('>').context("a place without an end")?;
        let number: u16 = number.parse()?;
        let place = left.iter().position(|it| it.0 == number);
        let recording = place.and_then(|it| left.remove(it));
        let (_, steps) = recording.with_context(|| format!("no recording {number} is left"))?;
        joined.push_str(&line(&letters(steps)?));
        joined.push_str(rest);
    }
    ensure!(left.is_empty(), "{} recordings have no place", left.len());
    Ok(joined)
}

/// Returns a letter for each step of `S*512 F`.
fn letters(steps: &str) -> Result<Vec<char>> {
    let mut letters = Vec::new();
    for word in steps.split_whitespace() {
        let (letter, times) = word.split_once('*').unwrap_or((word, "1"));
        let letter = letter
            .parse()
            .with_context(|| format!("the step `{word}`"))?;
        letters.resize(letters.len() + times.parse::<usize>()?, letter);
    }
    Ok(letters)
}

/// Returns the counts of the steps, and their order.
fn line(letters: &[char]) -> String {
    let count = |wanted| letters.iter().filter(|&&it| it == wanted).count();
    format!(
        "stores {:<4} sfence.vma {:<4} of an address {:<4} fence w, w {:<4} {}",
        count('S'),
        count('F'),
        count('f'),
        count('w'),
        order(letters)
    )
}

/// Folds repetitions, as the steps of aarch64 are folded: `(S*8 F)*64`. A group of several steps
/// ends with a fence, so that a fold does not divide an operation.
fn order(letters: &[char]) -> String {
    let is_whole = |group: &[char]| matches!(group, [_] | [.., 'F' | 'f' | 'r']);
    let mut order = String::new();
    let mut rest = letters;
    while !rest.is_empty() {
        let (period, times) = repetition(rest, char::eq, is_whole);
        let group = &rest[..period];
        if !order.is_empty() {
            order.push(' ');
        }
        match group {
            [letter] => order.push(*letter),
            _ => {
                let _ = write!(order, "({})", self::order(group));
            }
        }
        if times > 1 {
            let _ = write!(order, "*{times}");
        }
        rest = &rest[period * times..];
    }
    order
}

#[cfg(test)]
mod tests {
    use super::{letters, order};

    #[test]
    fn repetitions_of_steps_are_folded() {
        let fold = |steps| order(&letters(steps).unwrap());
        assert_eq!(fold("S*512 F"), "S*512 F");
        assert_eq!(fold("S F S F S F w S"), "(S F)*3 w S");
        assert_eq!(fold("S*2 f*2 S*2 f*2"), "(S*2 f*2)*2");
        assert_eq!(fold(""), "");
        letters("Sx").unwrap_err();
    }
}
