//! Finds numbers in the output of programs.

use anyhow::{Context, Result, ensure};

/// Returns the number immediately before `word` in `line`, for example 12 in "12 interleavings".
pub(crate) fn before(line: &str, word: &str) -> Result<usize> {
    let (front, _) = line
        .split_once(word)
        .with_context(|| format!("`{line}` does not contain `{word}`"))?;
    let digits = front
        .trim_end()
        .rsplit(|it: char| !it.is_ascii_digit())
        .next();
    digits
        .and_then(|it| it.parse().ok())
        .with_context(|| format!("`{line}` does not have a number before `{word}`"))
}

/// Returns the sum of the numbers immediately before `word`. At least one line must contain `word`.
fn sum_before(text: &str, word: &str) -> Result<usize> {
    let lines: Vec<_> = text.lines().filter(|it| it.contains(word)).collect();
    ensure!(!lines.is_empty(), "no line contains `{word}`");
    lines.into_iter().map(|line| before(line, word)).sum()
}

/// Returns a sum for each of the `words`, as "12 interleavings, 3 threads". A sum of 0 is an error,
/// because then nothing ran.
pub(crate) fn figures(text: &str, words: &[&str]) -> Result<String> {
    let mut figures = Vec::new();
    for word in words {
        let sum = sum_before(text, &format!(" {word}"))?;
        ensure!(sum > 0, "the number of {word} is 0: nothing ran");
        figures.push(format!("{sum} {word}"));
    }
    Ok(figures.join(", "))
}

/// Returns how many tests passed, in all programs that `cargo test` ran.
pub(crate) fn passed_tests(output: &str) -> Result<String> {
    let output = output.replace(" passed;", " tests passed;");
    figures(&output, &["tests passed"])
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
        assert_eq!(passed_tests(output).unwrap(), "17 tests passed");
        assert!(passed_tests("nothing was run").is_err());
        assert!(passed_tests("test result: ok. 0 passed; 0 failed").is_err());
    }
}
