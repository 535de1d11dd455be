//! The forms of functions in `forms`, with and without the attribute, in editions 2021 and 2024: the results must be the
//! same, and so must the warnings.

use std::collections::BTreeSet;
use std::io::{Write, stderr};

use serde_json::Value;

mod cargo;

const EDITIONS: [&str; 2] = ["2021", "2024"];

/// How many forms there are at least, in each edition.
const FORMS: usize = 200;

/// How many warnings are compared at least, in each edition.
const WARNINGS: usize = 180;

/// The warnings that the attribute does change, all of Clippy: each judges the body as a whole, and with the section the
/// body is another.
const DIFFERENCES: [(&str, &str); 2] = [
    // Nothing happens in an empty body, so nothing is said about inlining it; a section is something.
    ("clippy::inline_always", "empty_inline_always"),
    // Its advice, to write `async fn`, the attribute would refuse.
    ("clippy::manual_async_fn", "manual_async_fn"),
];

/// Runs cargo, which must succeed, and returns what it writes.
fn cargo(arguments: &[&str]) -> String {
    let output = cargo::run(arguments);
    let diagnostics = || -> String { rendered(&output.stdout).map(|(_, text)| text).collect() };
    assert!(
        output.success,
        "cargo {}: {}\n{}",
        arguments.join(" "),
        output.stderr,
        diagnostics()
    );
    output.stdout
}

/// The compiler's messages in cargo's JSON: the lint, and the whole text with its places.
fn rendered(json: &str) -> impl Iterator<Item = (String, String)> {
    json.lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|it| it["reason"] == "compiler-message")
        .filter_map(|it| {
            let message = &it["message"];
            let text = message["rendered"].as_str()?;
            let lint = message["code"]["code"].as_str().unwrap_or_default();
            Some((lint.to_owned(), text.to_owned()))
        })
}

/// The features with and without the attribute.
fn features(section: bool, more: &str) -> String {
    let section = if section { "section" } else { "" };
    format!("--features={section},{more}")
}

/// A program's warnings: the lint, and the whole text with its places.
fn warnings(edition: &str, program: &str, features: &str) -> BTreeSet<(String, String)> {
    let package = format!("ui-tests-forms-{edition}");
    let program = format!("{program}-{edition}");
    let json = cargo(&[
        "clippy",
        "--package",
        &package,
        "--bin",
        &program,
        "--message-format=json",
        features,
    ]);
    // Those without a lint are the count at the end.
    rendered(&json)
        .filter(|(lint, _)| !lint.is_empty())
        .collect()
}

#[test]
fn every_form_gives_the_same_with_and_without_the_attribute() {
    for edition in EDITIONS {
        let package = format!("ui-tests-forms-{edition}");
        let results = [false, true].map(|section| {
            let features = features(section, "");
            assert_eq!(warnings(edition, "forms", &features), BTreeSet::new());
            let program = format!("forms-{edition}");
            cargo(&["run", "--package", &package, "--bin", &program, &features])
        });
        let [plain, section] = results;
        for (plain, section) in plain.lines().zip(section.lines()) {
            assert_eq!(plain, section, "without, and with the attribute");
        }
        let forms = plain.lines().count();
        assert_eq!(forms, section.lines().count());
        assert!(forms >= FORMS, "{forms} forms, and {FORMS} are promised");
        writeln!(
            stderr(),
            "{forms} forms give the same with and without the attribute in edition {edition}"
        )
        .expect("stderr can be written");
    }
}

#[test]
fn no_warning_appears_or_disappears() {
    for edition in EDITIONS {
        let [plain, section] =
            [false, true].map(|it| warnings(edition, "warnings", &features(it, "warn")));
        let differences: Vec<_> = plain.symmetric_difference(&section).collect();
        for (lint, text) in &differences {
            assert!(
                DIFFERENCES
                    .iter()
                    .any(|(known, function)| lint == known && text.contains(function)),
                "only with, or only without the attribute: {text}"
            );
        }
        assert_eq!(differences.len(), DIFFERENCES.len());
        let warnings = plain.len();
        assert!(
            warnings >= WARNINGS,
            "{warnings} warnings, and {WARNINGS} are promised"
        );
        writeln!(
            stderr(),
            "{warnings} warnings are the same with and without the attribute in edition {edition}"
        )
        .expect("stderr can be written");
    }
}
