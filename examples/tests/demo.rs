//! Tests of the demonstration: its command line, its texts and its picture.

use std::process::{Command, Output};

use expect_test::expect_file;

fn demo(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_demo"))
        .args(args)
        .output()
        .expect("the demonstration runs")
}

fn stdout(args: &[&str]) -> String {
    let output = demo(args);
    assert!(output.status.success(), "{args:?}");
    String::from_utf8(output.stdout).expect("it prints UTF-8")
}

// After an intended change, `UPDATE_EXPECT=1 cargo test -p lazy-mmu-examples` writes the files.

#[test]
fn the_output_is_the_one_in_the_file_and_its_beginning_is_in_the_readme() {
    let text = stdout(&[]);
    expect_file!["demo.txt"].assert_eq(&text);
    let table = text.find("\n\nstores").expect("a legend behind the table");
    let readme = include_str!("../../README.md");
    assert!(readme.contains(&text[..table]), "{}", &text[..table]);
}

#[test]
fn the_timeline_folds_repetitions_and_draws_sections_as_brackets() {
    expect_file!["timeline.txt"].assert_eq(&stdout(&["--timeline", "--only", "populate_range"]));
}

#[test]
fn the_picture_is_the_one_that_the_readme_shows() {
    let file = concat!(env!("CARGO_TARGET_TMPDIR"), "/sections.svg");
    stdout(&["--pages", "32", "--only", "populate_range", "--svg", file]);
    let picture = std::fs::read_to_string(file).expect("it was written");
    expect_file!["../../docs/sections.svg"].assert_eq(&picture);
}

#[test]
fn without_debug_pagealloc_the_last_two_ways_are_the_same() {
    let text = stdout(&["--debug-pagealloc", "off"]);
    let rows: Vec<Vec<&str>> = text
        .lines()
        .filter(|line| line.contains(" + "))
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(rows.len(), 8, "{text}");
    for row in rows {
        assert_eq!(row[3], row[4], "{}", row[0]);
    }
}

#[test]
fn a_wrong_argument_is_refused_with_exit_code_2() {
    let number = "a number of pages from 1 to 16384 is needed";
    for (args, complaint) in [
        (&["--pages", "0"][..], number),
        (&["--pages", "16385"], number),
        (&["--pages", "many"], number),
        (&["--debug-pagealloc", "maybe"], "possible values: on, off"),
        (
            &["--only", "vmap"],
            "build_tables, allocate, vmap_pages_range,",
        ),
        (
            &["--svg", "no/folder.svg"],
            "cannot write the picture to no/folder.svg: No such file",
        ),
        (&["--page", "7"], "unexpected argument '--page'"),
        (&["7"], "unexpected argument '7'"),
    ] {
        let output = demo(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(stderr.contains(complaint), "{args:?}: {stderr}");
        assert!(output.stdout.is_empty(), "{args:?}");
    }
    let help = stdout(&["--help"]);
    for option in [
        "--pages",
        "--debug-pagealloc",
        "--only",
        "--timeline",
        "--svg",
        "--help",
    ] {
        assert!(help.contains(option), "{option}");
    }
}
