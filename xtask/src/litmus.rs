//! `cargo xtask litmus`: the tests in `litmus/`, which state what the barriers mean.
//!
//! The model checker herd7 judges them where it is installed. What can be checked without it is checked everywhere: that each
//! says its verdict, and that the barriers of those that must never go wrong are the ones that the kernels in QEMU executed.

mod file;
mod herd;
mod order;

use std::fs;

use anyhow::{Context, Result, bail, ensure};
use xshell::Shell;

use file::{Test, Trace, Verdict};
use herd::Herd;

/// The folder of the tests, below the workspace's.
const FOLDER: &str = "litmus";
/// The folder of what the kernels printed.
const RECORDED: &str = "examples/qemu";
/// The fewest tests.
const FEWEST: usize = 15;

/// The command: herd7 is what it is for.
pub(crate) fn run(shell: &Shell) -> Result<()> {
    let tests = checked(shell)?;
    let Some(herd) = Herd::find(shell) else {
        bail!("{}", herd::INSTALL);
    };
    let observed = herd.judge(shell, &tests)?;
    for (test, observed) in tests.iter().zip(&observed.tests) {
        println!(
            "  {:<9}  {} of {} executions  {}",
            test.verdict.to_string(),
            observed.positive,
            observed.positive + observed.negative,
            test.name
        );
    }
    println!("{observed}");
    Ok(())
}

/// The part of `cargo xtask test`: the files, and herd7 where it is installed.
pub(crate) fn check(shell: &Shell) -> Result<()> {
    let tests = checked(shell)?;
    match Herd::find(shell) {
        Some(herd) => println!("{}", herd.judge(shell, &tests)?),
        None => println!(
            "herd7 is not installed: the verdicts were not computed again (`cargo xtask litmus` says how to get it)"
        ),
    }
    Ok(())
}

/// All tests, by name, after what is checked without herd7.
fn checked(shell: &Shell) -> Result<Vec<Test>> {
    let tests = read(shell)?;
    enough(&tests)?;
    let readme = format!("{FOLDER}/README.md");
    table(&shell.read_file(&readme)?, &tests).context(readme)?;
    for test in &tests {
        trace(shell, test).with_context(|| test.path())?;
    }
    let never = count(&tests, Verdict::Never);
    let untraced = tests.iter().filter(|it| it.untraced).count();
    println!(
        "{} litmus tests, {} with the verdict Sometimes and {never} with Never: the barriers of {} \
         stand in the recorded outputs, and {untraced} say why theirs do not",
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
        let text = fs::read_to_string(&path)
            .with_context(|| format!("{} cannot be read", path.display()))?;
        tests.push(Test::parse(&stem, &text).with_context(|| format!("{FOLDER}/{stem}.litmus"))?);
    }
    tests.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(tests)
}

fn count(tests: &[Test], verdict: Verdict) -> usize {
    tests.iter().filter(|it| it.verdict == verdict).count()
}

/// There are enough of each verdict: a "never" says little without the "sometimes" of what it needs.
fn enough(tests: &[Test]) -> Result<()> {
    ensure!(
        tests.len() >= FEWEST,
        "{FOLDER} has {} tests, and {FEWEST} are promised",
        tests.len()
    );
    for verdict in [Verdict::Never, Verdict::Sometimes] {
        let count = count(tests, verdict);
        ensure!(
            3 * count >= tests.len(),
            "{count} of {} tests have the verdict {verdict}: at least a third is promised",
            tests.len()
        );
    }
    Ok(())
}

/// The table in the README has a row for each test, and no other.
fn table(readme: &str, tests: &[Test]) -> Result<()> {
    let mut rows = readme.lines().filter(|it| it.starts_with("| ["));
    for test in tests {
        let should = format!(
            "| [{name}]({name}.litmus) | {} | {} |",
            test.verdict,
            test.claim,
            name = test.name
        );
        let is = rows.next().unwrap_or("no row");
        ensure!(
            is == should,
            "the table must say, by file name,\n  {should}\nand says\n  {is}"
        );
    }
    if let Some(row) = rows.next() {
        bail!("the table has a row without a test: {row}");
    }
    Ok(())
}

/// The barriers of the test are in the recorded outputs that it names.
fn trace(shell: &Shell, test: &Test) -> Result<()> {
    if test.verdict == Verdict::Sometimes || test.untraced {
        return Ok(());
    }
    let mut shown = [None, None];
    for (trace, shown) in test.traces.iter().zip(&mut shown) {
        if let Some(Trace { file, citation }) = trace {
            let recorded = shell
                .read_file(format!("{RECORDED}/{file}"))
                .with_context(|| format!("`Trace:` names no recorded output in {RECORDED}"))?;
            let steps =
                order::find(&recorded, citation).with_context(|| format!("{RECORDED}/{file}"))?;
            *shown = Some(steps);
        }
    }
    test.executes(shown.each_ref().map(Option::as_deref))
}

#[cfg(test)]
mod tests {
    use super::file::tests::{NEVER, parse};
    use super::{Test, enough, table};

    fn some(never: usize, sometimes: usize) -> Vec<Test> {
        let sometimes_text = NEVER.replace("Never", "Sometimes");
        let (trace, _) = sometimes_text
            .split_once("Trace")
            .map(|(_, rest)| rest.split_once('\n').expect("a line"))
            .expect("it has one");
        let sometimes_text = sometimes_text.replace(&format!("Trace{trace}\n"), "");
        let all = [
            vec![NEVER.to_owned(); never],
            vec![sometimes_text; sometimes],
        ];
        all.concat()
            .iter()
            .map(|text| parse(text).expect("it is a test"))
            .collect()
    }

    #[test]
    fn there_must_be_enough_of_each_verdict() {
        assert!(enough(&some(8, 8)).is_ok());
        assert!(enough(&some(7, 7)).is_err(), "too few");
        assert!(enough(&some(4, 12)).is_err(), "too few of Never");
        assert!(enough(&some(12, 4)).is_err(), "too few of Sometimes");
    }

    #[test]
    fn the_table_is_that_of_the_files() {
        let tests = some(1, 0);
        let row = "| [one](one.litmus) | Never | The access finds the mapping. |";
        assert!(table(row, &tests).is_ok());
        for other in [
            String::new(),
            row.replace("Never", "Sometimes"),
            row.replace("finds", "may find"),
            format!("{row}\n{}", row.replace("one", "two")),
        ] {
            assert!(table(&other, &tests).is_err(), "{other}");
        }
    }
}
