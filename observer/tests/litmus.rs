//! Runs the tests of `litmus/` through the rule, and compares the verdicts with herd7's.
//!
//! The machine here executes one instruction after another, in each interleaving of the CPUs. An
//! access may also do what the observer reports: it may fault, or reach the memory of the old
//! translation. The verdict is `Sometimes` if the condition holds in the end of some execution.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::{env, fs};

use lazy_mmu_observer::{Access, Domain, Observer, Ram, Store, Tlbi, Types};

/// The tests on which the rule and herd7 disagree, and the reason.
const DIFFERENT: &[(&str, &str)] = &[(
    "another_cpu_with_isb_but_no_branch_may_fault",
    "laxer: the rule gets the instructions in their order, and does not know that an `isb` may be \
     executed before an earlier load has its value",
)];

#[test]
fn the_rule_agrees_with_herd7() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../litmus");
    let mut files: Vec<_> = fs::read_dir(folder)
        .expect("the folder exists")
        .map(|it| it.expect("it can be listed").path())
        .filter(|it| it.extension().is_some_and(|it| it == "litmus"))
        .collect();
    files.sort();
    assert!(!files.is_empty());
    let mut wrong = Vec::new();
    for file in &files {
        let name = file.file_stem().expect("it has a name").to_string_lossy();
        let source = fs::read_to_string(file).expect("it can be read");
        let test = Test::parse(&source);
        let stated = test.verdict == "Sometimes";
        let (executions, found) = test.explore();
        let is_listed = DIFFERENT.iter().any(|it| it.0 == name);
        if (stated == found) == is_listed {
            wrong.push(format!(
                "{name}: {}, the rule: {found} in {executions} executions",
                test.verdict
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        files.len(),
        wrong.join("\n")
    );
    println!(
        "the rule agrees with herd7 on {} tests of {}",
        files.len() - DIFFERENT.len(),
        files.len()
    );
}

/// The physical address of the first table.
const BASE: u64 = 0x4000_0000;
const LEVEL_3: u64 = BASE + 0x2000;
/// T1SZ is 25, so the root table is of level 1.
const TCR: u64 = 25 << 16;
const LOWEST: u64 = !0 << 39;
const PAGES: usize = 16;

/// Returns the number of a variable.
fn number(variable: &str) -> u64 {
    match variable {
        "x" => 0,
        "y" => 1,
        "z" => 2,
        "flag" => 3,
        other => panic!("unknown variable {other}"),
    }
}

fn memory(variable: &str) -> u64 {
    BASE + 0x4000 + 0x1000 * number(variable)
}

fn descriptor(variable: &str) -> u64 {
    memory(variable) | 1 << 54 | 0b0111 << 8 | 0b11
}

/// Returns the number for which a value stands: an address, a descriptor, or a number.
fn value(text: &str) -> u64 {
    if let Some(variable) = text.strip_prefix("PTE(") {
        LEVEL_3 + 8 * number(variable.trim_end_matches(')'))
    } else if let Some(variable) = text.strip_prefix("(oa:PA(") {
        descriptor(variable.trim_end_matches("))"))
    } else if text == "(valid:0)" {
        0
    } else if let Ok(number) = text.parse() {
        number
    } else if text == "flag" {
        // Its translation does not matter.
        memory(text)
    } else {
        LOWEST + 0x1000 * number(text)
    }
}

/// Returns the CPU of `P0` and of `P0.F`.
fn cpu(thread: &str) -> usize {
    let number = thread.trim_start_matches('P').trim_end_matches(".F");
    number.parse().expect("the number of a CPU")
}

#[derive(Default)]
struct Test {
    verdict: String,
    /// Whether an exception return is not a context synchronization event (FEAT_ExS).
    exs: bool,
    memory: Vec<(u64, u64)>,
    registers: HashMap<(usize, String), u64>,
    /// The instructions of each thread, with their labels, and of each handler.
    threads: Vec<Vec<(String, String)>>,
    handlers: Vec<Vec<(String, String)>>,
    condition: String,
}

impl Test {
    fn parse(source: &str) -> Self {
        let verdict = source.lines().find_map(|it| it.strip_prefix("Verdict: "));
        let variant = source.lines().find(|it| it.starts_with("Variant="));
        let mut test = Self {
            verdict: verdict.expect("a verdict").to_owned(),
            exs: variant.expect("a variant").contains("exs"),
            ..Self::default()
        };
        let (_, rest) = source.split_once("\n{\n").expect("the initial state");
        let (initial, rest) = rest.split_once("\n}\n").expect("its end");
        for assignment in initial.split([';', '\n']).map(str::trim) {
            let Some((place, assigned)) = assignment.split_once('=') else {
                continue;
            };
            let assigned = value(assigned);
            if let Some(place) = place.strip_prefix('[') {
                let place = place.trim_end_matches(']');
                let address = if place.starts_with("PTE") {
                    value(place)
                } else {
                    memory(place)
                };
                test.memory.push((address, assigned));
            } else {
                let (cpu, register) = place.split_once(':').expect("a register");
                let cpu = cpu.parse().expect("the number of a CPU");
                test.registers
                    .insert((cpu, register[1..].to_owned()), assigned);
            }
        }
        let (program, condition) = rest.split_once("\nexists ").expect("a condition");
        condition.trim().clone_into(&mut test.condition);
        let mut rows = program.lines().map(|it| {
            it.trim_end()
                .trim_end_matches(';')
                .split('|')
                .map(str::trim)
        });
        let names: Vec<_> = rows.next().expect("the threads").collect();
        for name in &names {
            let cpus = test.threads.len().max(cpu(name) + 1);
            test.threads.resize(cpus, Vec::new());
            test.handlers.resize(cpus, Vec::new());
        }
        for row in rows {
            for (name, cell) in names.iter().zip(row).filter(|it| !it.1.is_empty()) {
                let (label, instruction) = cell.split_once(':').unwrap_or(("", cell));
                let line = (label.to_owned(), instruction.trim().to_owned());
                let all = if name.contains('.') {
                    &mut test.handlers
                } else {
                    &mut test.threads
                };
                all[cpu(name)].push(line);
            }
        }
        test
    }

    /// Explores all executions. Returns their number, and whether one satisfies the condition.
    fn explore(&self) -> (usize, bool) {
        let mut choices = Choices::default();
        let mut executions = 0;
        let mut found = false;
        loop {
            let words: Vec<_> = (0..PAGES * 512).map(|_| AtomicU64::new(0)).collect();
            found |= Machine::new(self, &words).run(&mut choices);
            executions += 1;
            if !choices.next() {
                return (executions, found);
            }
        }
    }
}

/// The choices of one execution, as (chosen, number of possibilities).
#[derive(Default)]
struct Choices {
    made: Vec<(usize, usize)>,
    position: usize,
}

impl Choices {
    fn choose(&mut self, of: usize) -> usize {
        if self.position == self.made.len() {
            self.made.push((0, of));
        }
        self.position += 1;
        self.made[self.position - 1].0
    }

    /// Goes to the next execution, if there is one.
    fn next(&mut self) -> bool {
        self.position = 0;
        while let Some((chosen, of)) = self.made.pop() {
            if chosen + 1 < of {
                self.made.push((chosen + 1, of));
                return true;
            }
        }
        false
    }
}

struct Machine<'a> {
    test: &'a Test,
    words: &'a [AtomicU64],
    observer: Observer<'a>,
    cpus: Vec<Cpu>,
    faults: Vec<(usize, String, u64)>,
}

#[derive(Default, Clone)]
struct Cpu {
    next: usize,
    /// The instruction that faulted, while the handler runs.
    interrupted: Option<usize>,
    equal: bool,
    registers: HashMap<String, u64>,
}

/// Where an access goes.
#[derive(Clone, Copy, PartialEq)]
enum Reached {
    Memory(u64),
    Fault,
}

impl<'a> Machine<'a> {
    fn new(test: &'a Test, words: &'a [AtomicU64]) -> Self {
        let observer = Observer::new(Ram { base: BASE, words }, false);
        let mut cpus = vec![Cpu::default(); test.threads.len()];
        for ((cpu, register), value) in &test.registers {
            cpus[*cpu].registers.insert(register.clone(), *value);
        }
        let machine = Self {
            test,
            words,
            observer,
            cpus,
            faults: Vec::new(),
        };
        let table = |address| address | 0b11;
        let leaves = ["x", "y", "z"].map(|it| (value(&format!("PTE({it})")), descriptor(it)));
        let tables = [
            (BASE, table(BASE + 0x1000)),
            (BASE + 0x1000, table(LEVEL_3)),
        ];
        for (address, value) in tables
            .into_iter()
            .chain(leaves)
            .chain(test.memory.iter().copied())
        {
            machine.word(address).store(value, Relaxed);
        }
        for cpu in 0..machine.cpus.len() {
            machine.observer.set_tcr(cpu, TCR, 0);
            machine.observer.set_ttbr1(cpu, BASE, 0);
            machine.observer.synchronize(cpu, None);
        }
        machine
    }

    fn word(&self, address: u64) -> &AtomicU64 {
        &self.words[usize::try_from(address - BASE).expect("it is in RAM") / 8]
    }

    fn code(&self, cpu: usize) -> &'a [(String, String)] {
        match self.cpus[cpu].interrupted {
            Some(_) => &self.test.handlers[cpu],
            None => &self.test.threads[cpu],
        }
    }

    /// Runs to the end. Returns whether the condition holds.
    fn run(&mut self, choices: &mut Choices) -> bool {
        loop {
            let runnable: Vec<_> = (0..self.cpus.len())
                .filter(|&it| self.cpus[it].next < self.code(it).len())
                .collect();
            match runnable[..] {
                [] => return self.condition(),
                [cpu] => self.step(cpu, choices),
                _ => self.step(runnable[choices.choose(runnable.len())], choices),
            }
        }
    }

    fn register(&self, cpu: usize, name: &str) -> u64 {
        let name = &name.trim()[1..];
        self.cpus[cpu].registers.get(name).copied().unwrap_or(0)
    }

    fn set(&mut self, cpu: usize, name: &str, value: u64) {
        self.cpus[cpu]
            .registers
            .insert(name.trim()[1..].to_owned(), value);
    }

    fn branch(&mut self, cpu: usize, label: &str) {
        let to = self.code(cpu).iter().position(|it| it.0 == label);
        self.cpus[cpu].next = to.expect("a label");
    }

    fn step(&mut self, cpu: usize, choices: &mut Choices) {
        let here = self.cpus[cpu].next;
        let (label, instruction) = &self.code(cpu)[here];
        self.cpus[cpu].next = here + 1;
        let (mnemonic, operands) = instruction.split_once(' ').unwrap_or((instruction, ""));
        let operands: Vec<_> = operands
            .split(',')
            .map(|it| it.trim_matches(['[', ']']))
            .collect();
        match (mnemonic, &operands[..]) {
            ("LDR" | "LDAR" | "STR" | "STLR", [data, address]) => {
                let address = self.register(cpu, address);
                let write = mnemonic.starts_with("ST");
                match self.reach(cpu, address, write, choices) {
                    Reached::Fault => {
                        self.faults.push((cpu, label.clone(), address));
                        self.take_fault(cpu, here);
                    }
                    Reached::Memory(memory) if write => {
                        self.word(memory).store(self.register(cpu, data), Relaxed);
                        let store = Store {
                            pc: 0,
                            address: memory,
                            size: 8,
                            release: mnemonic == "STLR",
                        };
                        self.observer.store(cpu, store);
                    }
                    Reached::Memory(memory) => {
                        self.set(cpu, data, self.word(memory).load(Relaxed));
                    }
                }
            }
            ("DSB", ["ISHST"]) => self.observer.dsb(cpu, Domain::Shareable, Types::Stores, 0),
            ("DSB", ["ISH"]) => self.observer.dsb(cpu, Domain::Shareable, Types::All, 0),
            ("DMB", ["ISHST"]) => self.observer.dmb(cpu, Types::Stores),
            ("ISB", _) => self.observer.synchronize(cpu, None),
            ("TLBI", [name, operand]) => {
                let op2 = match *name {
                    "VAAE1IS" => 3,
                    "VAALE1IS" => 7,
                    other => panic!("unknown invalidation {other}"),
                };
                let operand = self.register(cpu, operand) & 0xfff_ffff_ffff;
                let tlbi = Tlbi::decode(0xd508_8300 | op2 << 5, operand);
                self.observer.tlbi(cpu, tlbi.expect("it is a TLBI"));
            }
            ("LSR", [to, from, "#12"]) => self.set(cpu, to, self.register(cpu, from) >> 12),
            ("ADD", [to, from, "#1"]) => self.set(cpu, to, self.register(cpu, from) + 1),
            ("CMP", [register, "#2"]) => self.cpus[cpu].equal = self.register(cpu, register) == 2,
            ("B.EQ", [label]) if self.cpus[cpu].equal => self.branch(cpu, label),
            ("CBZ", [register, label]) if self.register(cpu, register) == 0 => {
                self.branch(cpu, label);
            }
            ("" | "B.EQ" | "CBZ", _) => {}
            ("ERET", _) => {
                let interrupted = self.cpus[cpu].interrupted.take();
                self.cpus[cpu].next = interrupted.expect("a handler returns");
                if !self.test.exs {
                    self.observer.synchronize(cpu, None);
                }
            }
            _ => panic!("unknown instruction {instruction}"),
        }
    }

    /// Continues in the handler, or ends the thread if it has none.
    fn take_fault(&mut self, cpu: usize, here: usize) {
        let has_handler = !self.test.handlers[cpu].is_empty();
        let state = &mut self.cpus[cpu];
        if has_handler {
            state.interrupted = Some(here);
            state.next = 0;
            if !self.test.exs {
                self.observer.synchronize(cpu, None);
            }
        } else {
            state.next = usize::MAX;
        }
    }

    /// Chooses where an access goes, among what the observer allows.
    fn reach(&self, cpu: usize, address: u64, write: bool, choices: &mut Choices) -> Reached {
        if address < LOWEST {
            return Reached::Memory(address);
        }
        let entry = self
            .word(LEVEL_3 + 8 * ((address - LOWEST) >> 12))
            .load(Relaxed);
        let now = match entry & 1 {
            0 => Reached::Fault,
            _ => Reached::Memory(entry & 0xffff_f000),
        };
        let access = Access {
            pc: 0,
            address,
            write,
        };
        let mut all = vec![now];
        for report in self.observer.access(cpu, access) {
            let reached = report.may_reach.map_or(Reached::Fault, Reached::Memory);
            if !all.contains(&reached) {
                all.push(reached);
            }
        }
        match all[..] {
            [one] => one,
            _ => all[choices.choose(all.len())],
        }
    }

    fn condition(&self) -> bool {
        let condition = &self.test.condition;
        let inner = condition
            .strip_prefix('(')
            .and_then(|it| it.strip_suffix(')'));
        let inner = inner.expect("parentheses");
        match inner.split_once(r" \/ ") {
            Some(_) => inner.split(r" \/ ").any(|it| self.atom(it)),
            None => inner.split(r" /\ ").all(|it| self.atom(it)),
        }
    }

    fn atom(&self, atom: &str) -> bool {
        let negated = atom
            .strip_prefix("not (")
            .and_then(|it| it.strip_suffix(')'));
        if let Some(atom) = negated {
            return !self.atom(atom);
        }
        if let Some(fault) = atom.strip_prefix("fault(") {
            let (place, variable) = fault.trim_end_matches(')').split_once(',').expect("two");
            let (thread, label) = place.split_once(':').unwrap_or((place, ""));
            return self.faults.iter().any(|it| {
                it.0 == cpu(thread)
                    && (label.is_empty() || it.1 == label)
                    && it.2 == value(variable)
            });
        }
        let (place, expected) = atom.split_once('=').expect("an equation");
        let (cpu, register) = place.split_once(':').expect("a register");
        let cpu = cpu.parse().expect("the number of a CPU");
        self.register(cpu, register) == value(expected)
    }
}
