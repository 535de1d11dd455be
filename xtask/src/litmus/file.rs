//! Reads a file of `litmus/`: the comment at its head, and the parts that the checks need.

use std::collections::HashSet;
use std::fmt;

use anyhow::{Context, Result, bail, ensure};
use lazy_mmu_examples::trace::{Order, Step};

use super::FOLDER;
use super::order::Shape;

/// How often the condition after `exists` is true. The condition says that something goes wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    Never,
    Sometimes,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Never => "Never",
            Self::Sometimes => "Sometimes",
        })
    }
}

/// The place where the sequence of a CPU was recorded: a line in the output of a kernel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Trace {
    pub(super) file: String,
    pub(super) citation: String,
}

/// A litmus test.
#[derive(Debug)]
pub(super) struct Test {
    pub(super) name: String,
    pub(super) verdict: Verdict,
    pub(super) claim: String,
    /// For a test with the verdict `Never`: the trace of the CPU under test, and the trace of the
    /// CPU on which the task continues, if it migrates.
    pub(super) traces: [Option<Trace>; 2],
    /// Whether a test with the verdict `Never` says why a recorded output cannot show its barriers.
    pub(super) untraced: bool,
    threads: Vec<Thread>,
}

/// The stores, barriers and invalidations of a thread, or of the exception handler of a thread.
#[derive(Debug)]
struct Thread {
    name: String,
    steps: Vec<Step>,
}

impl Test {
    /// Parses the text of the file `name.litmus`.
    pub(super) fn parse(name: &str, text: &str) -> Result<Self> {
        let rest = text
            .strip_prefix(&format!("AArch64 {name}\n"))
            .with_context(|| format!("the first line must be `AArch64 {name}`"))?;
        let (head, rest) = rest
            .strip_prefix("(*\n")
            .and_then(|it| it.split_once("\n*)\n"))
            .context("a comment with `Verdict:` and `Claim:` must follow the first line")?;
        let head = Head::parse(head)?;
        let rest = rest
            .strip_prefix("Variant=vmsa")
            .context("`Variant=vmsa` must follow the comment")?;
        let (initial, rest) = rest
            .split_once("\n{\n")
            .and_then(|(_, it)| it.split_once("\n}\n"))
            .context("the initial state must follow, between `{` and `}`")?;
        let (program, _) = rest
            .split_once("\nexists (")
            .context("the condition must be `exists (..)`, which says what would go wrong")?;
        Ok(Self {
            name: name.to_owned(),
            verdict: head.verdict,
            claim: head.claim,
            traces: head.traces,
            untraced: head.untraced,
            threads: threads(initial, program)?,
        })
    }

    /// Returns the path of the file in the workspace.
    pub(super) fn path(&self) -> String {
        format!("{FOLDER}/{}.litmus", self.name)
    }

    /// Checks that the CPU under test, with its handler, executes the first sequence in `shown`.
    ///
    /// If the task continues on another CPU, that CPU must execute the second sequence. If not, the
    /// other CPU does not execute code of the crate. It may only read, and execute an `isb`.
    pub(super) fn executes(&self, shown: [Option<&[Step]>; 2]) -> Result<()> {
        let names = [&["P0", "P0.F"][..], &["P1"]];
        for (names, shown) in names.iter().zip(shown) {
            let of = |it: &&Thread| names.contains(&it.name.as_str());
            let threads = self.threads.iter().filter(of);
            let steps: Vec<Step> = threads.flat_map(|it| it.steps.clone()).collect();
            match shown {
                Some(shown) => ensure!(
                    Shape::of(&steps) == Shape::of(shown),
                    "{} executes {}, but the recorded output shows {}",
                    names[0],
                    Order(&steps),
                    Order(shown)
                ),
                None => ensure!(
                    steps.iter().all(|&it| it == Step::Isb),
                    "{} executes {}, but only P0 has a recorded output",
                    names[0],
                    Order(&steps)
                ),
            }
        }
        Ok(())
    }
}

/// The comment at the head of a file.
struct Head {
    verdict: Verdict,
    claim: String,
    traces: [Option<Trace>; 2],
    untraced: bool,
}

impl Head {
    fn parse(comment: &str) -> Result<Self> {
        let mut verdict = None;
        let mut claim = None;
        let mut trace = None;
        let mut other = None;
        let mut untraced = None;
        for line in comment.lines() {
            let (key, value) = line
                .split_once(": ")
                .with_context(|| format!("`{line}` is not a `Key: value`"))?;
            let field = match key {
                "Verdict" => &mut verdict,
                "Claim" => &mut claim,
                "Trace" => &mut trace,
                "Trace P1" => &mut other,
                "Untraced" => &mut untraced,
                _ => bail!(
                    "unknown key `{key}:`, expected `Verdict:`, `Claim:`, `Trace:`, `Trace P1:` or \
                     `Untraced:`"
                ),
            };
            ensure!(field.replace(value).is_none(), "duplicate key `{key}:`");
        }
        let verdict = match verdict.context("`Verdict:` is missing")? {
            "Never" => Verdict::Never,
            "Sometimes" => Verdict::Sometimes,
            other => bail!("the verdict must be `Never` or `Sometimes`, not `{other}`"),
        };
        let claim = claim.context("`Claim:` is missing")?;
        for (key, value) in [("Claim", Some(claim)), ("Untraced", untraced)] {
            ensure!(
                value.is_none_or(|it| it.ends_with('.') && !it.contains(". ")),
                "`{key}:` must be one sentence with a full stop"
            );
        }
        let traced = trace.is_some() || other.is_some();
        match verdict {
            Verdict::Never => {
                ensure!(
                    trace.is_some() || untraced.is_some(),
                    "`Trace:` is missing: cite a line of a recorded output that shows the barriers"
                );
                ensure!(
                    !(traced && untraced.is_some()),
                    "`Untraced:` and `Trace:` cannot be combined: remove one of them"
                );
            }
            Verdict::Sometimes => ensure!(
                !traced && untraced.is_none(),
                "a test that may go wrong cannot have `Trace:` or `Untraced:`, because the crate \
                 does not execute its barriers"
            ),
        }
        Ok(Self {
            verdict,
            claim: claim.to_owned(),
            traces: [
                trace.map(Trace::parse).transpose()?,
                other.map(Trace::parse).transpose()?,
            ],
            untraced: untraced.is_some(),
        })
    }
}

impl Trace {
    fn parse(text: &str) -> Result<Self> {
        let (file, citation) = text
            .split_once(".txt: ")
            .context("`Trace:` must be `FILE.txt: WORDS OF A LINE AND ITS ORDER`")?;
        Ok(Self {
            file: format!("{file}.txt"),
            citation: citation.to_owned(),
        })
    }
}

/// Reads the columns of the program. Each column is a thread.
fn threads(initial: &str, program: &str) -> Result<Vec<Thread>> {
    let mut lines = program
        .lines()
        .map(|line| line.trim().trim_end_matches(';').split('|').map(str::trim));
    let mut threads: Vec<Thread> = lines
        .next()
        .context("the program is missing")?
        .map(|name| Thread {
            name: name.to_owned(),
            steps: Vec::new(),
        })
        .collect();
    let slots: Vec<_> = threads.iter().map(|it| slots(initial, &it.name)).collect();
    for line in lines {
        for ((thread, slots), cell) in threads.iter_mut().zip(&slots).zip(line) {
            let step = step(cell, slots).with_context(|| format!("`{cell}`"))?;
            thread.steps.extend(step);
        }
    }
    Ok(threads)
}

/// Returns the registers of a thread, or of its handler, that point to a translation table entry.
fn slots<'a>(initial: &'a str, thread: &str) -> HashSet<&'a str> {
    let number = thread.trim_start_matches('P').trim_end_matches(".F");
    initial
        .split([';', '\n'])
        .filter_map(|it| {
            let (register, value) = it.trim().split_once('=')?;
            let (of, register) = register.split_once(':')?;
            (of == number && value.starts_with("PTE(")).then_some(register)
        })
        .collect()
}

/// Returns the step of an instruction in a trace, if it has one. An unknown instruction is an
/// error, because it may be a barrier.
fn step(cell: &str, slots: &HashSet<&str>) -> Result<Option<Step>> {
    // The instruction may have a label in front.
    let instruction = cell.rsplit(':').next().unwrap_or_default().trim();
    let (mnemonic, operands) = instruction.split_once(' ').unwrap_or((instruction, ""));
    Ok(match (mnemonic, operands) {
        ("STR" | "STLR", operands) => {
            let (_, address) = operands
                .split_once(",[")
                .context("the store does not have an address")?;
            slots
                .contains(address.trim_end_matches(']'))
                .then_some(Step::Store)
        }
        ("DSB", "ISHST") => Some(Step::DsbIshst),
        ("DSB", "ISH") => Some(Step::DsbIsh),
        ("DMB", "ISHST") => Some(Step::DmbIshst),
        ("ISB", "") => Some(Step::Isb),
        ("TLBI", operands) if operands.starts_with("VAALE1IS,") => Some(Step::Tlbi),
        ("TLBI", operands) if operands.starts_with("VAAE1IS,") => Some(Step::TlbiTable),
        ("" | "LDR" | "LDAR" | "LSR" | "ADD" | "CMP" | "B.EQ" | "CBZ" | "ERET", _) => None,
        _ => {
            bail!("unknown instruction: add it to `step` in xtask/src/litmus/file.rs")
        }
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use Step::{DsbIshst, Isb, Store};

    /// A test with the name `one`.
    pub(in super::super) const NEVER: &str = r"AArch64 one
(*
Verdict: Never
Claim: The access finds the mapping.
Trace: out.txt: a leaf: S D I
*)
Variant=vmsa
{
 [PTE(x)]=(valid:0);
 0:X0=(oa:PA(x)); 0:X1=PTE(x); 0:X2=x; 0:X4=flag;
 1:X2=x;
}
 P0              | P1          ;
 STR X0,[X1]     | LDR W3,[X2] ;
 DSB ISHST       | ISB         ;
 ISB             |             ;
 L0: LDR W3,[X2] |             ;
 STR W3,[X4]     |             ;
exists (fault(P0:L0,x))
";

    pub(in super::super) fn parse(text: &str) -> Result<Test> {
        Test::parse("one", text)
    }

    fn refused(from: &str, to: &str, because: &str) {
        assert!(NEVER.contains(from), "{from}");
        let error = format!("{:#}", parse(&NEVER.replacen(from, to, 1)).unwrap_err());
        assert!(error.contains(because), "{error}");
    }

    #[test]
    fn the_head_says_verdict_claim_and_trace() -> Result<()> {
        let test = parse(NEVER)?;
        assert_eq!(test.verdict, Verdict::Never);
        assert_eq!(test.claim, "The access finds the mapping.");
        let trace = Trace {
            file: "out.txt".into(),
            citation: "a leaf: S D I".into(),
        };
        assert_eq!(test.traces, [Some(trace), None]);
        Ok(())
    }

    #[test]
    fn a_file_without_its_head_is_refused() {
        refused("AArch64 one", "AArch64 two", "first line");
        refused("Verdict: Never\n", "", "`Verdict:` is missing");
        refused("Verdict: Never", "Verdict: Always", "not `Always`");
        refused("Claim:", "Verdict: Never\nClaim:", "duplicate key");
        refused(
            "Claim: The access finds the mapping.\n",
            "",
            "`Claim:` is missing",
        );
        refused("mapping.", "mapping. It does.", "one sentence");
        refused("mapping.", "mapping", "one sentence");
        refused("Trace: out.txt: a leaf: S D I\n", "", "`Trace:` is missing");
        refused("out.txt: a leaf: S D I", "none", "FILE.txt");
        refused("Verdict: Never", "Verdict: Sometimes", "may go wrong");
        refused("Claim:", "Author:", "unknown key `Author:`");
        refused("Trace: out.txt", "Trace P1: out.txt", "`Trace:` is missing");
        refused("vmsa", "", "Variant=vmsa");
        refused("exists", "forall", "exists");
    }

    #[test]
    fn a_test_without_a_trace_says_why() -> Result<()> {
        const TRACE: &str = "Trace: out.txt: a leaf: S D I";
        const UNTRACED: &str = "Untraced: An exception is not recorded.";
        let test = parse(&NEVER.replace(TRACE, UNTRACED))?;
        assert!(test.untraced);
        assert_eq!(test.traces, [None, None]);
        assert!(!parse(NEVER)?.untraced);
        refused(
            TRACE,
            "Untraced: no output",
            "`Untraced:` must be one sentence",
        );
        refused(TRACE, &format!("{TRACE}\n{UNTRACED}"), "cannot be combined");
        let sometimes = NEVER.replace(TRACE, UNTRACED).replace("Never", "Sometimes");
        assert!(parse(&sometimes).is_err(), "the test may go wrong");
        Ok(())
    }

    #[test]
    fn the_barriers_are_those_that_were_shown() -> Result<()> {
        let shown = [Store, DsbIshst, Isb];
        parse(NEVER)?.executes([Some(&shown), None])?;
        // More stores do not matter, because counts are not compared.
        parse(&NEVER.replace(" DSB", " STR X0,[X1]     |             ;\n DSB"))?
            .executes([Some(&shown), None])?;
        for (from, to) in [
            (" DSB ISHST ", " ISB "),
            (" DSB ISHST ", " DSB ISH "),
            (" DSB ISHST ", " "),
            (" STR X0,[X1]", " LDR X0,[X1]"),
            (" ISB             |", " |"),
            ("| ISB         ;", "| DSB ISHST   ;"),
        ] {
            let text = NEVER.replace(from, to);
            assert_ne!(text, NEVER, "{from}");
            let executes = parse(&text)?.executes([Some(&shown), None]);
            assert!(executes.is_err(), "{from}: {to}");
        }
        Ok(())
    }

    #[test]
    fn an_exception_handler_executes_for_its_thread() -> Result<()> {
        let text = NEVER
            .replace("| P1 ", "| P0.F ")
            .replace("| LDR W3,[X2] ;\n DSB", "| STR X0,[X1] ;\n DSB");
        parse(&text)?.executes([Some(&[Store, DsbIshst, Isb, Store, Isb]), None])
    }

    #[test]
    fn a_task_that_goes_on_elsewhere_is_compared_there_too() -> Result<()> {
        let text = NEVER
            .replace("\nTrace: ", "\nTrace P1: out.txt: it goes on: D I\nTrace: ")
            .replace(
                "| ISB         ;",
                "| DSB ISHST   ;\n                 | ISB         ;",
            );
        let migrated = parse(&text)?;
        let first = Some(&[Store, DsbIshst, Isb][..]);
        migrated.executes([first, Some(&[DsbIshst, Isb])])?;
        for second in [None, Some(&[Isb, DsbIshst][..]), Some(&[Isb])] {
            assert!(migrated.executes([first, second]).is_err(), "{second:?}");
        }
        Ok(())
    }

    #[test]
    fn an_unknown_instruction_is_refused() {
        refused("DSB ISHST", "DSB NSH", "`DSB NSH`");
        refused("LDR W3", "DC CVAU, W3", "unknown instruction");
        refused("STR W3,[X4]", "STR W3", "address");
    }
}
