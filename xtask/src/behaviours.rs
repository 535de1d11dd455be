//! Compares the list of behaviours, `docs/behaviours.md`, with the tests that show them.
//!
//! Each behaviour has an id. The names of its tests begin with this id: the names of functions, and
//! of the cases in the folders `fail` and `pass`. A line of a kernel's golden output may begin with
//! ids too. The page cites all of them. `cargo xtask test --bless behaviours` writes the citations.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Result, ensure};
use xshell::Shell;

use crate::{golden, riscv64};

const PAGE: &str = "docs/behaviours.md";

/// The path of a file in the workspace, with `/`, and the text of the file.
type File = (String, String);

/// The citations of each behaviour, as they are on the page, by the id of the behaviour.
type Shown = BTreeMap<String, BTreeSet<String>>;

/// Compares the page with the tests, or writes its citations if the user asks for that.
pub(crate) fn check(shell: &Shell) -> Result<()> {
    let mut files = Vec::new();
    read(&shell.current_dir(), "", &mut files)?;
    let page = shell.read_file(PAGE)?;
    let shown = shown(&files);
    let wrong = wrong(&page, &files, &shown);
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    golden::compare(PAGE, &with_citations(&page, &shown))?;
    let citations = shown.values().map(BTreeSet::len).sum::<usize>();
    println!("{} behaviours, {citations} citations", shown.len());
    Ok(())
}

/// Reads the texts in `folder`, except the folders of builds and of git.
fn read(folder: &Path, prefix: &str, files: &mut Vec<File>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let (name, path) = entry.map(|it| (it.file_name(), it.path()))?;
        let name = format!("{prefix}{}", name.to_string_lossy());
        if path.is_dir() {
            if !path.ends_with("target") && !path.ends_with(".git") {
                read(&path, &(name + "/"), files)?;
            }
        } else if let Ok(text) = fs::read_to_string(&path) {
            files.push((name, text));
        }
    }
    Ok(())
}

fn is_id(word: &str) -> bool {
    matches!(
        word.as_bytes(),
        [
            b'S' | b'C' | b'B' | b'K' | b'P' | b'R',
            b'0'..=b'9',
            b'0'..=b'9'
        ]
    )
}

/// Returns the ids at the beginning of `text`.
fn ids(text: &str, separator: char) -> impl Iterator<Item = String> {
    text.split(separator)
        .map(str::to_ascii_uppercase)
        .take_while(|it| is_id(it))
}

/// Returns the words of `text`. A name with underscores is one word.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|it: char| !it.is_ascii_alphanumeric() && it != '_')
}

fn shown(files: &[File]) -> Shown {
    let mut shown = Shown::new();
    let mut cite = |ids: &mut dyn Iterator<Item = String>, citation: &str| {
        for id in ids {
            shown.entry(id).or_default().insert(citation.to_owned());
        }
    };
    // The tests in this file do not belong to a behaviour.
    for (path, text) in files.iter().filter(|it| it.0 != file!()) {
        let mut parts = path.rsplit('/');
        let [file, folder] = [(); 2].map(|()| parts.next().unwrap_or_default());
        if let Some(stem) = file.strip_suffix(".txt") {
            let kernel = if path.starts_with(riscv64::KERNELS) {
                "the RISC-V kernel"
            } else {
                "the kernel"
            };
            for line in text.lines() {
                cite(&mut ids(line, ' '), &format!("{kernel} `{stem}`"));
            }
        }
        let Some(stem) = file.strip_suffix(".rs") else {
            continue;
        };
        if ["fail", "pass"].contains(&folder) {
            cite(&mut ids(stem, '_'), &format!("`{folder}/{stem}`"));
        }
        for function in text.split("fn ").skip(1) {
            let name = words(function).next().unwrap_or_default();
            // A test has no parameters, whether it is in a macro or has the attribute itself.
            let parameters = function.split_once('(').unwrap_or_default().1;
            if name.contains('_') && parameters.starts_with(')') {
                cite(&mut ids(name, '_'), &format!("`{name}`"));
            }
        }
        // A runner of tests has their names in a string: `"s01_name::{case}"`.
        let names = text.split('"').filter_map(|it| it.split_once("::"));
        for (name, _) in names {
            cite(&mut ids(name, '_'), &format!("the tests `{name}::`"));
        }
        // `cargo xtask` prints some results itself, after it has compared all kernels.
        let printed = text.split("println!(").skip(1);
        for line in printed.filter_map(|it| it.split('"').nth(1)) {
            if path.starts_with("xtask/") {
                cite(&mut ids(line, ' '), &format!("`{path}`"));
            }
        }
    }
    shown
}

/// Returns the id of a paragraph that is a row, `- **S01** ..`.
fn row(paragraph: &str) -> Option<&str> {
    let id = paragraph.strip_prefix("- **")?.get(..3)?;
    is_id(id).then_some(id)
}

/// Returns a line for each row without a test, and for each id in a file that is not on the page.
fn wrong(page: &str, files: &[File], shown: &Shown) -> Vec<String> {
    let rows: BTreeSet<_> = page.split("\n\n").filter_map(row).collect();
    let unshown = rows.iter().filter(|it| !shown.contains_key(**it));
    let unshown = unshown.map(|it| format!("{PAGE}: no test has a name that begins with {it}"));
    let unknown = files.iter().flat_map(|(path, text)| {
        let words = words(text).chain(words(path));
        // An id in small letters counts only in a name, because `c99` may mean something else.
        let ids = words.filter(|it| is_id(it) || it.contains('_'));
        let ids: BTreeSet<_> = ids.flat_map(|it| self::ids(it, '_')).collect();
        let unknown = ids.into_iter().filter(|it| !rows.contains(it.as_str()));
        unknown.map(move |it| format!("{path}: the id {it} is not in {PAGE}"))
    });
    unshown.chain(unknown).collect()
}

/// Returns the page with the citations at the end of each row.
fn with_citations(page: &str, shown: &Shown) -> String {
    let cited = page.trim_end().split("\n\n").map(|paragraph| {
        let Some(citations) = row(paragraph).and_then(|row| shown.get(row)) else {
            return paragraph.to_owned();
        };
        let citations: Vec<_> = citations.iter().map(String::as_str).collect();
        let (text, _) = paragraph
            .split_once("\n  Shown by ")
            .unwrap_or((paragraph, ""));
        text.to_owned() + &wrapped(&format!("Shown by {}.", citations.join(", ")))
    });
    cited.collect::<Vec<_>>().join("\n\n") + "\n"
}

/// Returns the text in lines of at most 100 columns, with the indentation of a row.
fn wrapped(text: &str) -> String {
    let (mut lines, mut column) = (String::new(), 100);
    for word in text.split(' ') {
        column += 1 + word.len();
        if column > 100 {
            lines += "\n ";
            column = 2 + word.len();
        }
        lines.extend([" ", word]);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the mistakes of a page with the row S01, in a workspace with one file.
    fn wrong_with(path: &str, text: &str) -> Vec<String> {
        let files = [(path.to_owned(), text.to_owned())];
        wrong("# Page\n\n- **S01** A claim.", &files, &shown(&files))
    }

    #[test]
    fn a_row_without_a_test_is_found() {
        let shows_nothing = [
            ("a.rs", "// S01"),
            ("a.rs", "fn s01_helper(_: u8) {}"),
            ("a.rs", "println!(\"S01 it is so\")"),
            ("src/s01_a.rs", ""),
        ];
        for (path, text) in shows_nothing {
            let expected = format!("{PAGE}: no test has a name that begins with S01");
            assert_eq!(wrong_with(path, text), [expected], "{path}: {text}");
        }
        let shows = [
            ("a.rs", "fn s01_a() {}"),
            ("a.rs", "fn s01_a<B>() {}"),
            ("a.rs", "let name = format!(\"s01_a::{case}\");"),
            ("xtask/a.rs", "println!(\n\"S01 it is so\")"),
            ("fail/s01_a.rs", ""),
            ("kernel.txt", "S01 it is so"),
        ];
        for (path, text) in shows {
            assert!(wrong_with(path, text).is_empty(), "{path}: {text}");
        }
    }

    #[test]
    fn an_id_that_is_not_on_the_page_is_found() {
        let ids = [
            ("a.rs", "fn s01_s02_a() {}"),
            ("a.md", "as (S02)"),
            ("fail/s02_a.rs", ""),
            ("a.txt", "S02 a"),
        ];
        for (path, text) in ids {
            let expected = format!("{path}: the id S02 is not in {PAGE}");
            assert!(wrong_with(path, text).contains(&expected), "{path}: {text}");
        }
        let no_ids = wrong_with("a.md", "A55, S1, S021, _S02_, FEAT_S02");
        assert_eq!(no_ids.len(), 1, "{no_ids:?}");
    }

    #[test]
    fn citations_are_wrapped_and_replaced() {
        let name = "s01_".to_owned() + &"a".repeat(80);
        let files = [
            ("a.rs".to_owned(), format!("fn {name}() {{}}")),
            ("a/kernel.txt".to_owned(), "S01 K06 a line".to_owned()),
        ];
        let expected = format!(
            "- **S01** A claim.\n  Shown by `{name}`,\n  the kernel `kernel`.\n\n## A heading\n"
        );
        for before in ["", "\n  Shown by `s01_b`,\n  `s01_c`."] {
            let page = format!("- **S01** A claim.{before}\n\n## A heading\n");
            assert_eq!(with_citations(&page, &shown(&files)), expected);
        }
    }
}
