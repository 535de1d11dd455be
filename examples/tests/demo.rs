//! The demonstration's command line and its table.

use std::process::{Command, Output};

fn demo(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_demo"))
        .args(args)
        .output()
        .expect("the demonstration runs")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("it prints UTF-8")
}

#[test]
fn the_table_is_the_one_in_the_file() {
    let output = demo(&["--pages", "512"]);
    assert!(output.status.success());
    // `cargo run -- --pages 512 > examples/tests/demo-512.txt` after a change that means to alter it.
    assert_eq!(stdout(&output), include_str!("demo-512.txt"));
}

#[test]
fn without_debug_pagealloc_the_last_two_ways_are_the_same() {
    let output = demo(&["--debug-pagealloc", "off"]);
    let text = stdout(&output);
    let rows: Vec<Vec<&str>> = text
        .lines()
        .take_while(|line| !line.starts_with("what the sections did"))
        .map(|line| line.split_whitespace().collect())
        .filter(|row: &Vec<&str>| row.len() == 5 && row[1].parse::<u32>().is_ok())
        .collect();
    assert_eq!(rows.len(), 8, "{text}");
    for row in rows {
        assert_eq!(row[3], row[4], "{}", row[0]);
    }
}

#[test]
fn the_timeline_has_one_line_an_event_indented_by_section() {
    let text = stdout(&demo(&["--pages", "1", "--timeline"]));
    let start = text.find("populate_range\n").expect("its timeline");
    let lines: Vec<String> = text[start..].lines().take(11).map(str::to_owned).collect();
    assert_eq!(
        lines,
        [
            "populate_range",
            "  enter Outermost",
            "    enter Nested",
            "      store 0x006000004800b707 in table 0x48003000, entry 11",
            "      dsb ishst",
            "      isb",
            "    leave Nested",
            "    store 0x006000004800b707 in table 0x48006000, entry 2",
            "    dsb ishst",
            "    isb",
            "  leave Outermost",
        ]
    );
}

#[test]
fn a_wrong_argument_is_refused_with_exit_code_2() {
    for (args, complaint) in [
        (
            &["--pages", "0"][..],
            "a number of pages from 1 to 16384 is needed",
        ),
        (
            &["--pages", "16385"],
            "a number of pages from 1 to 16384 is needed",
        ),
        (
            &["--pages", "many"],
            "a number of pages from 1 to 16384 is needed",
        ),
        (&["--debug-pagealloc", "maybe"], "possible values: on, off"),
        (&["--page", "7"], "unexpected argument '--page'"),
        (&["7"], "unexpected argument '7'"),
    ] {
        let output = demo(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(stderr.contains(complaint), "{args:?}: {stderr}");
        assert!(output.stdout.is_empty(), "{args:?}");
    }
    let help = demo(&["--help"]);
    assert!(help.status.success());
    for option in ["--pages", "--debug-pagealloc", "--timeline", "--help"] {
        assert!(stdout(&help).contains(option), "{option}");
    }
}
