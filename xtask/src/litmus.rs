//! `cargo xtask litmus`: checks the litmus tests in `litmus/`, which state what the barriers mean.
//!
//! The model checker herd7 computes their verdicts, if it is installed. Two checks do not need it:
//! each test states its verdict, and the kernels in QEMU executed the barriers of each test with
//! the verdict `Never`.

mod file;
mod herd;
mod order;

use std::fs;

use anyhow::{Context, Result, bail, ensure};
use xshell::Shell;

use file::{Test, Trace, Verdict};
use herd::Herd;

/// The folder of the litmus tests in the workspace.
const FOLDER: &str = "litmus";
/// The folder of the recorded outputs of the kernels.
const RECORDED: &str = "examples/qemu";

/// Runs the command, which fails if herd7 is not installed.
pub(crate) fn run(shell: &Shell) -> Result<()> {
    let tests = checked(shell)?;
    let Some(herd) = Herd::find(shell) else {
        bail!("{}", herd::INSTALL);
    };
    let observed = herd.judge(shell, &tests)?;
    for (test, observed) in tests.iter().zip(&observed.tests) {
        println!(
            "{}: {} ({} of {} executions)\n    {}",
            test.name,
            test.verdict,
            observed.positive,
            observed.positive + observed.negative,
            test.claim
        );
    }
    println!("{observed}");
    Ok(())
}

/// Runs the litmus tests as a part of `cargo xtask test`, which uses herd7 only if it is installed.
pub(crate) fn check(shell: &Shell) -> Result<()> {
    let tests = checked(shell)?;
    match Herd::find(shell) {
        Some(herd) => println!("{}", herd.judge(shell, &tests)?),
        None => println!(
            "herd7 did not check the verdicts, because it is not installed (`cargo xtask litmus` \
             says how to install it)"
        ),
    }
    Ok(())
}

/// Returns all tests, sorted by name, after the checks that do not need herd7.
fn checked(shell: &Shell) -> Result<Vec<Test>> {
    let tests = read(shell)?;
    ensure!(!tests.is_empty(), "{FOLDER} does not contain a litmus test");
    for test in &tests {
        trace(shell, test).with_context(|| test.path())?;
    }
    let never = |it: &&Test| it.verdict == Verdict::Never;
    let never = tests.iter().filter(never).count();
    let untraced = tests.iter().filter(|it| it.untraced).count();
    println!(
        "{} litmus tests: {} have the verdict Sometimes, {never} have the verdict Never. Recorded \
         outputs show the barriers of {} with Never, and the other {untraced} say why not",
        tests.len(),
        tests.len() - never,
        never - untraced,
    );
    Ok(tests)
}

fn read(shell: &Shell) -> Result<Vec<Test>> {
    let folder = shell.current_dir().join(FOLDER);
    let mut tests = Vec::new();
    for path in shell.read_dir(&folder)? {
        if path.extension().is_none_or(|it| it != "litmus") {
            continue;
        }
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let text =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        tests.push(Test::parse(&stem, &text).with_context(|| format!("{FOLDER}/{stem}.litmus"))?);
    }
    tests.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(tests)
}

/// Checks that the recorded outputs that `test` names show the barriers of the test.
fn trace(shell: &Shell, test: &Test) -> Result<()> {
    if test.verdict == Verdict::Sometimes || test.untraced {
        return Ok(());
    }
    let mut shown = [None, None];
    for (trace, shown) in test.traces.iter().zip(&mut shown) {
        if let Some(Trace { file, citation }) = trace {
            let recorded = shell
                .read_file(format!("{RECORDED}/{file}"))
                .with_context(|| format!("`Trace:` must name a recorded output in {RECORDED}"))?;
            let steps =
                order::find(&recorded, citation).with_context(|| format!("{RECORDED}/{file}"))?;
            *shown = Some(steps);
        }
    }
    test.executes(shown.each_ref().map(Option::as_deref))
}
