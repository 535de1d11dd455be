//! Runs herd7, and reads its output.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use xshell::{Shell, cmd};

use super::FOLDER;
use super::file::{Test, Verdict};

/// The version of herd7 that computed the verdicts in the files.
const VERSION: &str = "7.58";

/// The message that is printed if herd7 is missing.
pub(super) const INSTALL: &str = "the program `herd7`, which computes the verdicts, is not on the \
    PATH: install herdtools7 with OCaml's package manager (`opam install herdtools7`), or build it \
    from its sources (https://github.com/herd/herdtools7). The stated verdicts are from version \
    7.58";

/// herd7's flag for an execution that replaces a valid entry without break-before-make.
const NEEDS_BREAK_BEFORE_MAKE: &str = "Flag requires-BBM";

/// An installed herd7.
pub(super) struct Herd {
    version: String,
}

/// The results of all tests.
pub(super) struct Observed {
    version: String,
    pub(super) tests: Vec<Observation>,
    states: usize,
    time: Duration,
}

/// The result of one test.
#[derive(Debug)]
pub(super) struct Observation {
    verdict: String,
    /// The number of executions that satisfy the condition.
    pub(super) positive: usize,
    /// The number of executions that do not satisfy it.
    pub(super) negative: usize,
    states: usize,
    needs_break_before_make: bool,
}

impl Herd {
    /// Finds herd7 on the PATH.
    pub(super) fn find(shell: &Shell) -> Option<Self> {
        let printed = cmd!(shell, "herd7 -version")
            .quiet()
            .ignore_stderr()
            .read()
            .ok()?;
        let version = printed.split(',').next()?.trim().to_owned();
        Some(Self { version })
    }

    /// Runs all tests, and compares herd7's verdicts with those that the files state.
    pub(super) fn judge(self, shell: &Shell, tests: &[Test]) -> Result<Observed> {
        let _folder = shell.push_dir(FOLDER);
        let files: Vec<String> = tests
            .iter()
            .map(|it| format!("{}.litmus", it.name))
            .collect();
        let start = Instant::now();
        let output = cmd!(shell, "herd7 {files...}")
            .quiet()
            .read()
            .context("herd7 refuses a test: the reason is in its output above")?;
        let time = start.elapsed();
        let observed = tests
            .iter()
            .map(|test| {
                let seen = observation(&output, &test.name)?;
                compare(test, &seen).with_context(|| self.hint())?;
                Ok(seen)
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Observed {
            version: self.version,
            states: observed.iter().map(|it| it.states).sum(),
            tests: observed,
            time,
        })
    }

    fn hint(&self) -> String {
        if self.version == VERSION {
            format!("herd7 {VERSION}")
        } else {
            format!(
                "herd7 {}, whose model may differ from that of the expected version {VERSION}",
                self.version
            )
        }
    }
}

impl fmt::Display for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "herd7 {} confirms each verdict: {} executions that the model allows, {} final \
             states, {:.1} s",
            self.version,
            self.tests
                .iter()
                .map(|it| it.positive + it.negative)
                .sum::<usize>(),
            self.states,
            self.time.as_secs_f64()
        )
    }
}

/// Reads herd7's output for one test, from the line `Test ..` to the next empty line.
fn observation(output: &str, name: &str) -> Result<Observation> {
    let head = format!("Test {name} ");
    let lines: Vec<&str> = output
        .lines()
        .skip_while(|it| !it.starts_with(&head))
        .take_while(|it| !it.is_empty())
        .collect();
    let find = |start: &str| lines.iter().find_map(|it| it.strip_prefix(start));
    let words: Vec<&str> = find(&format!("Observation {name} "))
        .with_context(|| format!("herd7 left out {name}: the reason is in its output above"))?
        .split_whitespace()
        .collect();
    let [verdict, positive, negative] = words[..] else {
        bail!("herd7's line `Observation {name}` does not have the format of version {VERSION}");
    };
    Ok(Observation {
        verdict: verdict.to_owned(),
        positive: positive.parse()?,
        negative: negative.parse()?,
        states: find("States ")
            .context("herd7's line `States ..` is missing")?
            .trim()
            .parse()?,
        needs_break_before_make: lines.contains(&NEEDS_BREAK_BEFORE_MAKE),
    })
}

/// Checks that the file states herd7's verdict, and that a test with the verdict `Never` follows
/// the rules of the architecture.
fn compare(test: &Test, seen: &Observation) -> Result<()> {
    ensure!(
        seen.verdict == test.verdict.to_string(),
        "{}: the file states the verdict {}, but herd7 computes {}",
        test.path(),
        test.verdict,
        seen.verdict
    );
    ensure!(
        test.verdict != Verdict::Never || !seen.needs_break_before_make,
        "{}: the architecture demands a break-before-make, which the test does not have",
        test.path()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::file::tests::{NEVER, parse};
    use super::*;

    const OUTPUT: &str = "Test one_more Allowed
States 2
Observation one_more Sometimes 1 1

Test one Allowed
States 1
No
Witnesses
Positive: 0 Negative: 3
Condition exists (fault(P0,x))
Observation one Never 0 3
Time one 0.01
";

    #[test]
    fn the_verdict_is_that_of_the_test() -> Result<()> {
        let test = parse(NEVER)?;
        let seen = observation(OUTPUT, "one")?;
        assert_eq!((seen.positive, seen.negative, seen.states), (0, 3, 1));
        compare(&test, &seen)?;
        let other = observation(&OUTPUT.replace("one Never", "one Sometimes"), "one")?;
        assert!(compare(&test, &other).is_err(), "a different verdict");
        let flagged = observation(&OUTPUT.replace("Witnesses", "Flag requires-BBM"), "one")?;
        assert!(
            compare(&test, &flagged).is_err(),
            "a missing break-before-make"
        );
        Ok(())
    }

    #[test]
    fn a_test_that_herd_left_out_is_noticed() {
        assert!(observation(OUTPUT, "two").is_err());
        assert!(observation(&OUTPUT.replace(" 0 3", ""), "one").is_err());
    }
}
