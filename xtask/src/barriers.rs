//! `cargo xtask verify barriers`: removes each barrier and each invalidation of a kernel, one at a
//! time, on both architectures. The observer must then report something.
//!
//! A `nop` replaces the instruction in the binary. The list of the survivors says why the observer
//! does not miss them. Its keys are the functions and source lines, because addresses change.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::iter;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lazy_mmu_observer::Architecture;
use lazy_mmu_observer::instruction::Operation;
use lazy_mmu_observer::trampolines::instructions;
use xshell::Shell;

use crate::disassembly::{is_barrier, is_tlbi};
use crate::golden;
use crate::observe::{How, Log, Observer};
use crate::qemu::{self, FIRST, Kernels, MIGRATION, Qemu, Sections::Short, side_by_side};
use crate::riscv64;
use crate::symbols::Symbols;

/// The lists of the survivors, each with its reason: of the kernel for aarch64, and of that for
/// RISC-V.
const SURVIVORS: &str = "examples/qemu/barriers.txt";
const SURVIVORS_RISCV64: &str = "examples/qemu_riscv64/barriers.txt";
/// The list of the barriers on which an access must rely alone.
const RELIED: &str = "examples/qemu/barriers_relied.txt";

/// The time limit for a run. A kernel without an invalidation may wait forever.
const PATIENCE: Duration = Duration::from_mins(2);

/// A barrier or an invalidation of the kernel.
struct Site {
    address: u64,
    /// The instruction, its function, and the source line.
    key: String,
}

/// The kernel, and its sites.
struct Barriers<'a> {
    observer: &'a Observer,
    /// The ways to run the kernel. A barrier is seen if it is in one of them.
    machines: Vec<Qemu>,
    survivors: &'static str,
    sites: Vec<Site>,
}

impl<'a> Barriers<'a> {
    fn aarch64(observer: &'a Observer, kernels: &Kernels) -> Result<Self> {
        let machine = qemu::in_real_time(kernels, MIGRATION, FIRST, Short)?;
        let sites = sites(&machine.kernel, |it| {
            (is_dsb_or_isb(it) || is_tlbi(it)).then(|| name(it))
        })?;
        Ok(Self::new(observer, vec![machine], SURVIVORS, sites))
    }

    fn riscv64(observer: &'a Observer, shell: &Shell) -> Result<Self> {
        let machines = riscv64::short_migrations(shell)?;
        let sites = sites(&machines[0].kernel, |it| fence_name(it).map(str::to_owned))?;
        Ok(Self::new(observer, machines, SURVIVORS_RISCV64, sites))
    }

    fn new(
        observer: &'a Observer,
        mut machines: Vec<Qemu>,
        survivors: &'static str,
        sites: Vec<Site>,
    ) -> Self {
        for machine in &mut machines {
            machine.patience = PATIENCE;
        }
        Self {
            observer,
            machines,
            survivors,
            sites,
        }
    }

    /// Runs the unchanged kernel, and returns the logs, with the counts of the sites.
    fn coverage(&self) -> Result<Vec<Log>> {
        let how = How {
            sites: true,
            ..How::default()
        };
        let run = |machine: &Qemu| {
            let (end, log) = self.observer.run(machine.clone(), &how)?;
            log.ensure_silent()?;
            ensure!(
                end.code == Some(0),
                "{MIGRATION} ended with {:?} under the observer, and printed\n{}",
                end.code,
                end.output
            );
            Ok(log)
        };
        self.machines.iter().map(run).collect()
    }

    /// Runs the kernel without these sites, each time without one. Returns the kind of the report
    /// or how the kernel ended, for each key.
    ///
    /// `logs` are those of [`coverage`](Self::coverage). A site runs in the machines that execute
    /// it. Whether an access needs a barrier may depend on the interrupts of a run. A site in
    /// `listed` runs once in each machine, and another one up to three times.
    fn remove(
        &self,
        sites: &[&Site],
        logs: &[Log],
        listed: &BTreeSet<String>,
    ) -> Result<BTreeMap<String, Removal>> {
        let machines = |address| {
            let all = self.machines.iter().zip(logs);
            let executed =
                all.filter(move |(_, log)| log.sites.iter().any(|it| it.address == address));
            executed.map(|it| it.0)
        };
        let done = Mutex::new(BTreeMap::new());
        side_by_side(sites, |site| {
            let runs = if listed.contains(&site.key) { 1 } else { 3 };
            let tries = iter::repeat_with(|| machines(site.address)).take(runs);
            let mut removal = Removal::Missed("it did not run".to_owned());
            for machine in tries.flatten() {
                removal = self.remove_one(site, machine);
                if matches!(removal, Removal::Seen(_)) {
                    break;
                }
            }
            println!("{removal}: {}", site.key);
            let mut done = done.lock().expect("a worker panicked");
            done.insert(site.key.clone(), removal);
            Ok(())
        })?;
        Ok(done.into_inner().expect("a worker panicked"))
    }

    fn remove_one(&self, site: &Site, machine: &Qemu) -> Removal {
        let how = How {
            removed: &[site.address],
            stop: true,
            ..How::default()
        };
        match self.observer.run(machine.clone(), &how) {
            Ok((end, log)) => match log.reports.into_iter().next() {
                Some(report) => Removal::Seen(report.kind),
                None => Removal::Missed(format!("it ended with {:?}", end.code)),
            },
            // It was killed, and did not write a log.
            Err(error) => {
                let text = format!("{error:#}");
                Removal::Missed(text.lines().next().unwrap_or_default().to_owned())
            }
        }
    }
}

/// What happens without a barrier.
enum Removal {
    /// The observer has a report of this kind.
    Seen(String),
    /// It does not have one, and the kernel has ended like this.
    Missed(String),
}

impl fmt::Display for Removal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seen(kind) => write!(f, "seen ({kind})"),
            Self::Missed(end) => write!(f, "missed ({end})"),
        }
    }
}

/// Runs the part of `cargo xtask verify`. Returns its figures.
pub(crate) fn verify(shell: &Shell, observer: &Observer, kernels: &Kernels) -> Result<String> {
    let aarch64 = verify_one(&Barriers::aarch64(observer, kernels)?)?;
    let riscv64 = verify_one(&Barriers::riscv64(observer, shell)?)?;
    Ok(format!("aarch64: {aarch64}; RISC-V: {riscv64}"))
}

fn verify_one(barriers: &Barriers<'_>) -> Result<String> {
    let survivors_file = barriers.survivors;
    let logs = barriers.coverage()?;
    let executed = logs.iter().flat_map(|it| &it.sites);
    let executed: BTreeSet<u64> = executed.map(|it| it.address).collect();
    let sites = barriers.sites.iter();
    let (executed, idle): (Vec<_>, Vec<_>) = sites.partition(|it| executed.contains(&it.address));
    for site in &idle {
        println!("never executed: {}", site.key);
    }
    println!("{} sites are never executed, and do not count", idle.len());
    let listed = survivors(&read(survivors_file)?)?;
    let removed = barriers.remove(&executed, &logs, &listed)?;
    let mut errors = Vec::new();
    for (key, removal) in &removed {
        let is_missed = matches!(removal, Removal::Missed(_));
        if is_missed && !listed.contains(key) {
            errors.push(format!("{removal}, but not in {survivors_file}:\n{key}"));
        } else if !is_missed && listed.contains(key) {
            errors.push(format!("{removal}, but in {survivors_file}:\n{key}"));
        }
    }
    // A run may leave out a barrier of a rare case.
    let all: BTreeSet<_> = barriers.sites.iter().map(|it| &it.key).collect();
    for key in listed.iter().filter(|it| !all.contains(it)) {
        errors.push(format!(
            "not in the kernel, but in {survivors_file}:\n{key}"
        ));
    }
    ensure!(errors.is_empty(), "{}", errors.join("\n"));
    let seen = removed.values();
    let seen = seen.filter(|it| matches!(it, Removal::Seen(_))).count();
    let figures = format!(
        "{} sites, {seen} seen, {} listed",
        removed.len(),
        removed.len() - seen
    );
    println!("{figures}");
    Ok(figures)
}

/// Runs the short form: on each barrier of a list, an access must have relied alone. Removes a few
/// of them.
pub(crate) fn short_form(observer: &Observer, kernels: &Kernels) -> Result<()> {
    const REMOVED: usize = 4;
    /// The number of accesses with which a barrier is put into the list.
    const MANY: u64 = 50;
    let barriers = Barriers::aarch64(observer, kernels)?;
    let logs = barriers.coverage()?;
    let relied: BTreeMap<u64, u64> = logs[0]
        .sites
        .iter()
        .map(|it| (it.address, it.relied))
        .collect();
    let relied = |site: &Site| relied.get(&site.address).copied().unwrap_or(0);
    if golden::is_blessing() {
        let keys = barriers.sites.iter().filter(|it| relied(it) >= MANY);
        let keys: BTreeSet<_> = keys.map(|it| format!("{}\n", it.key)).collect();
        return golden::compare(RELIED, &keys.into_iter().collect::<String>());
    }
    let list = read(RELIED)?;
    let keys: BTreeSet<&str> = list.lines().collect();
    let sites = barriers.sites.iter();
    let relied: Vec<_> = sites.filter(|it| relied(it) > 0).collect();
    let found: BTreeSet<_> = relied.iter().map(|it| it.key.as_str()).collect();
    let missing: Vec<_> = keys.difference(&found).copied().collect();
    ensure!(
        missing.is_empty(),
        "{RELIED}: no access relied on these barriers alone; \
         if this change is intended, run the command with `--bless`:\n{}",
        missing.join("\n")
    );
    println!(
        "== {MIGRATION}: an access relied on a single barrier in {} places, {} of them expected",
        found.len(),
        keys.len()
    );
    let listed = relied
        .into_iter()
        .filter(|it| keys.contains(it.key.as_str()));
    let few: Vec<_> = listed.step_by(keys.len() / REMOVED + 1).collect();
    let removed = barriers.remove(&few, &logs, &BTreeSet::new())?;
    let missed = removed.iter().find(|it| matches!(it.1, Removal::Missed(_)));
    ensure!(
        missed.is_none(),
        "the observer does not see that a barrier is removed: {}",
        missed.map_or("", |it| it.0)
    );
    Ok(())
}

fn read(file: &str) -> Result<String> {
    let path = crate::workspace()?.join(file);
    fs::read_to_string(path).with_context(|| format!("cannot read {file}"))
}

/// Returns the keys in the list of the survivors. A reason, which is indented, follows one key or
/// several.
fn survivors(text: &str) -> Result<BTreeSet<String>> {
    let is_reason = |it: &str| it.starts_with(' ');
    let mut keys = BTreeSet::new();
    let mut has_reason = true;
    for line in text.lines() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        has_reason = is_reason(line);
        ensure!(
            has_reason || keys.insert(line.to_owned()),
            "{SURVIVORS}: this line is there twice: {line}"
        );
    }
    ensure!(
        has_reason,
        "{SURVIVORS}: a reason must follow the last line"
    );
    Ok(keys)
}

/// Returns the instructions of a kernel that have a name.
fn sites(kernel: &Path, name: impl Fn(u32) -> Option<String>) -> Result<Vec<Site>> {
    let symbols = Symbols::read(kernel)?;
    let mut numbers = BTreeMap::new();
    let mut sites = Vec::new();
    for instruction in instructions(&fs::read(kernel)?)? {
        let Some(name) = name(instruction.word) else {
            continue;
        };
        let place = symbols.place(instruction.address)?;
        let key = format!("{name} of {}", place.key());
        // Keys that are equal get numbers, in the order of their addresses.
        let number: &mut usize = numbers.entry(key.clone()).or_default();
        *number += 1;
        let key = if *number == 1 {
            key
        } else {
            format!("{key} #{number}")
        };
        sites.push(Site {
            address: instruction.address,
            key,
        });
    }
    Ok(sites)
}

/// Returns the name of a RISC-V instruction that orders or removes translations, or that orders
/// stores for other harts. An atomic instruction is more than a fence.
fn fence_name(word: u32) -> Option<&'static str> {
    const MISC_MEM: u32 = 0x0f;
    Some(match Operation::decode(Architecture::Riscv64, word)? {
        Operation::Fence if word & 0x7f == MISC_MEM => "fence",
        Operation::FenceOfStores => "fence w, w",
        Operation::Sfence(scope) if scope.has_address => "sfence.vma of an address",
        Operation::Sfence(_) => "sfence.vma",
        Operation::Sinval(_) => "sinval.vma",
        Operation::SfenceWInval => "sfence.w.inval",
        Operation::SfenceInvalIr => "sfence.inval.ir",
        _ => return None,
    })
}

fn is_dsb_or_isb(word: u32) -> bool {
    const DMB: u32 = 0b101;
    is_barrier(word) && word >> 5 & 0b111 != DMB
}

/// Returns the name of a barrier or an invalidation.
fn name(word: u32) -> String {
    if !is_tlbi(word) {
        let domain = ["osh", "nsh", "ish", ""][(word >> 10 & 3) as usize];
        let accesses = ["", "ld", "st", ""][(word >> 8 & 3) as usize];
        return match (word >> 5 & 7, domain, accesses) {
            (0b110, ..) => "isb".to_owned(),
            (_, "", "") => "dsb sy".to_owned(),
            _ => format!("dsb {domain}{accesses}"),
        };
    }
    // The fields are CRm and op2 of SYS. The Arm ARM has the names at "TLBI".
    let [scope, what] = [word >> 8 & 0xf, word >> 5 & 7];
    let what = [
        "vmalle1", "vae1", "aside1", "vaae1", "", "vale1", "", "vaale1",
    ][what as usize];
    let range = if matches!(scope, 2 | 5 | 6) { "r" } else { "" };
    let scope = match scope {
        1 | 5 => "os",
        2 | 3 => "is",
        _ => "",
    };
    format!("tlbi {range}{what}{scope}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_survivor_has_a_reason_and_is_listed_once() {
        let keys =
            survivors("# A list\n\nisb of a: `b`\ndsb of c\n    A reason\n    in two lines.\n");
        let expected = ["dsb of c", "isb of a: `b`"].map(str::to_owned);
        assert_eq!(keys.unwrap(), BTreeSet::from(expected));
        assert!(survivors("isb of a\n").is_err());
        assert!(survivors("isb of a\n    A reason.\nisb of a\n    Another.\n").is_err());
    }

    #[test]
    fn fences_have_the_names_of_the_manual() {
        for (word, expected) in [
            (0x1200_0073, "sfence.vma"),
            (0x1205_0073, "sfence.vma of an address"),
            (0x1605_0073, "sinval.vma"),
            (0x0310_000f, "fence"),
            (0x0110_000f, "fence w, w"),
        ] {
            assert_eq!(fence_name(word), Some(expected));
        }
        // `fence r, rw` does not order stores, and `amoswap.w.rl` is more than a fence.
        assert_eq!(fence_name(0x0230_000f), None);
        assert_eq!(fence_name(0x0ab5_252f), None);
    }

    #[test]
    fn instructions_have_the_names_of_the_manual() {
        for (word, expected) in [
            (0xd503_3a9f, "dsb ishst"),
            (0xd503_379f, "dsb nsh"),
            (0xd503_3f9f, "dsb sy"),
            (0xd503_3d9f, "dsb ld"),
            (0xd503_3fdf, "isb"),
            (0xd508_831f, "tlbi vmalle1is"),
            (0xd508_83a1, "tlbi vale1is"),
            (0xd508_8722, "tlbi vae1"),
            (0xd508_82a1, "tlbi rvale1is"),
        ] {
            assert_eq!(name(word), expected);
        }
        assert!(is_dsb_or_isb(0xd503_3b9f) && is_dsb_or_isb(0xd503_3fdf));
        assert!(!is_dsb_or_isb(0xd503_3bbf), "it is `dmb ish`");
    }
}
