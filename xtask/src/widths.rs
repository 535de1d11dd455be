//! Checks the width of each line in the tracked texts, and of each table cell in Markdown.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use xshell::{Shell, cmd};

/// The most columns of a line, and the most characters of a table cell.
const LIMIT: usize = 100;

/// The endings of the texts. `run` is the script `.ci/run`.
///
/// Authors cannot break the lines of other files: programs print the golden outputs (`.txt`,
/// `.asm`, `.stderr`, `.svg`), `xtask/mutants.txt` quotes the source, and cargo writes
/// `Cargo.lock`.
const TEXTS: [&str; 9] = ["rs", "md", "toml", "yml", "litmus", "ld", "c", "sh", "run"];

/// Checks all tracked texts.
pub(crate) fn check(shell: &Shell) -> Result<()> {
    let files = cmd!(shell, "git ls-files").read()?;
    let is_text = |it: &&str| {
        TEXTS
            .iter()
            .any(|end| it.rsplit(['.', '/']).next() == Some(end))
    };
    let (mut number, mut errors) = (0, String::new());
    for file in files.lines().filter(is_text) {
        let path = shell.current_dir().join(file);
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {file}"))?;
        errors.extend(too_wide(file, &text));
        number += 1;
    }
    if !errors.is_empty() {
        bail!("some lines are too wide:\n{errors}");
    }
    println!("{number} texts have lines of at most {LIMIT} columns");
    Ok(())
}

/// Returns an error for each line of a file that is too wide. All exceptions are here.
fn too_wide(file: &str, text: &str) -> Vec<String> {
    let is_markdown = Path::new(file).extension().is_some_and(|it| it == "md");
    let error = |(number, line): (usize, &str)| {
        // A row of a table in Markdown cannot be broken, but a cell can become a list.
        let is_row = is_markdown && line.trim_start().starts_with('|');
        // A URL cannot be broken. The sign of a comment and the name of a link may precede it.
        let words: Vec<_> = line.split_whitespace().collect();
        let is_url = words.len() <= 3 && words.last().is_some_and(|it| it.contains("://"));
        let (width, part) = if is_row {
            let cells = line.split('|').map(|it| it.trim().chars().count());
            (cells.max().unwrap_or(0), "characters in a table cell")
        } else {
            (line.chars().count(), "columns")
        };
        (width > LIMIT && !is_url)
            .then(|| format!("{file}:{number}: {width} {part}, but the limit is {LIMIT}\n"))
    };
    (1..).zip(text.lines()).filter_map(error).collect()
}

#[cfg(test)]
mod tests {
    use super::too_wide;

    #[test]
    fn only_a_url_and_a_row_of_a_markdown_table_may_be_wider() {
        let (fits, wide) = ("ü".repeat(100), "ü".repeat(101));
        let error = |file, text: String| too_wide(file, &text).concat();
        let accepts = |file, text| assert_eq!(error(file, text), "");
        let refuses = |file, text, with| assert!(error(file, text).starts_with(with));
        accepts("a.rs", fits.clone());
        refuses("a.rs", format!("{fits}\n{wide}"), "a.rs:2: 101 columns");
        accepts("a.rs", format!("//! [link]: https://{wide}"));
        refuses(
            "a.rs",
            format!("see https://{wide} too"),
            "a.rs:1: 117 columns",
        );
        accepts("a.md", format!("| {fits} | {fits} |"));
        refuses("a.md", format!("| a | {wide} |"), "a.md:1: 101 characters");
        refuses("a.rs", format!("| {fits} |"), "a.rs:1: 104 columns");
    }
}
