//! Numbers out of what programs print.

use anyhow::{Context, Result, ensure};

/// The number right before `word` in `line`: 12 in "12 interleavings".
pub(crate) fn before(line: &str, word: &str) -> Result<usize> {
    let (front, _) = line
        .split_once(word)
        .with_context(|| format!("no `{word}` in `{line}`"))?;
    let digits = front
        .trim_end()
        .rsplit(|it: char| !it.is_ascii_digit())
        .next();
    digits
        .and_then(|it| it.parse().ok())
        .with_context(|| format!("no number before `{word}` in `{line}`"))
}

/// The sum of the numbers right before `word` in each line that has it; an error if none has.
pub(crate) fn sum_before(text: &str, word: &str) -> Result<usize> {
    let lines: Vec<_> = text.lines().filter(|it| it.contains(word)).collect();
    ensure!(!lines.is_empty(), "no line with `{word}`");
    lines.into_iter().map(|line| before(line, word)).sum()
}

/// How many tests `cargo test` says to have passed, in all its programs.
pub(crate) fn passed_tests(output: &str) -> Result<usize> {
    sum_before(output, " passed;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_before_words() {
        assert_eq!(
            before("C10 nested: 830 interleavings", " interleavings").unwrap(),
            830
        );
        assert!(before("C10 nested: no interleavings", " interleavings").is_err());
        assert!(before("C10 nested", " interleavings").is_err());
    }

    #[test]
    fn tests_of_all_programs_count() {
        let output =
            "test result: ok. 3 passed; 0 failed\nother\ntest result: ok. 14 passed; 0 failed";
        assert_eq!(passed_tests(output).unwrap(), 17);
        assert!(passed_tests("nothing was run").is_err());
    }
}
