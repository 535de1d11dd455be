//! The functions in `warnings.rs`, with and without the attribute, in editions 2021 and 2024: the compiler and Clippy must
//! say the same of them.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Write, stderr};
use std::path::Path;

use serde_json::Value;

mod cargo;

/// A line of the source that the plain variant has empty.
const ATTRIBUTE: &str = "#[lazy_mmu::lazy_mmu]";

/// How many warnings are compared at least, in each edition, and of how many lints.
const WARNINGS: usize = 200;
const LINTS: usize = 75;

/// Lints that only speak on what other crates can see.
const OF_EXPORTED_ITEMS: [&str; 8] = [
    "clippy::missing_errors_doc",
    "clippy::missing_panics_doc",
    "clippy::missing_safety_doc",
    "clippy::must_use_candidate",
    "clippy::new_without_default",
    "clippy::not_unsafe_ptr_arg_deref",
    "clippy::return_self_not_must_use",
    "clippy::should_implement_trait",
];

/// The warnings that the attribute does change, all of Clippy: each judges the body as a whole, and with the section the
/// body is another. With whether it appears, and the place in the source by which it is known.
const DIFFERENCES: [(&str, bool, &str); 8] = [
    // Nothing happens in an empty body, so nothing is said about inlining it; a section is something.
    ("clippy::inline_always", true, "empty_inline_always"),
    // Its advice, to write `async fn`, the attribute would refuse.
    ("clippy::manual_async_fn", false, "fn manual_async_fn"),
    // A derived implementation would have no section.
    (
        "clippy::derivable_impls",
        false,
        "impl Default for Derivable",
    ),
    // Its advice, to remove the implementation, would remove the section.
    ("clippy::empty_drop", false, "impl Drop for EmptyDrop"),
    // The call may make statements, so it stands behind the section, which is a statement.
    (
        "clippy::items_after_statements",
        true,
        "const BEHIND_NOTHING",
    ),
    // A body of one field is taken for a getter.
    ("clippy::misnamed_getters", false, "fn first(&self)"),
    // With a section these are not canonical: they do more.
    ("clippy::non_canonical_clone_impl", true, "*self"),
    (
        "clippy::non_canonical_partial_ord_impl",
        true,
        "Some(self.cmp(other))",
    ),
];

/// A warning: the lint, and the whole text with its places.
type Warning = (String, String);

/// Compiles the source as a library, with these settings of Clippy.
fn warnings(edition: &str, variant: &str, source: &str, settings: &str) -> BTreeSet<Warning> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let folder = workspace
        .join("target/ui-tests-warnings")
        .join(variant)
        .join(edition);
    let write = |path: &str, text: &str| {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().expect("it is in the folder")).expect("it can be made");
        fs::write(path, text).expect("it can be written");
    };
    let dependency = workspace.join("lazy-mmu");
    write(
        "Cargo.toml",
        &format!(
            "[package]\nname = \"warnings-{variant}-{edition}\"\nedition = \"{edition}\"\n\n[dependencies]\n\
             lazy-mmu = {{ path = '{}' }}\n\n[workspace]\n",
            dependency.display()
        ),
    );
    write("src/lib.rs", source);
    write("clippy.toml", settings);
    // The versions of this workspace: nothing is looked for.
    let lock = fs::read_to_string(workspace.join("Cargo.lock")).expect("it can be read");
    write("Cargo.lock", &lock);
    let manifest = folder.join("Cargo.toml");
    let target = workspace.join("target/ui-tests-warnings/target");
    let json = cargo::run_anywhere(&[
        "clippy",
        "--manifest-path",
        manifest.to_str().expect("it is UTF-8"),
        "--target-dir",
        target.to_str().expect("it is UTF-8"),
        "--message-format=json",
    ]);
    json.stdout
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|it| it["reason"] == "compiler-message")
        .filter_map(|it| {
            let message = &it["message"];
            let text = message["rendered"].as_str()?;
            // Those without a lint are the count at the end, and errors.
            let lint = message["code"]["code"].as_str()?;
            // Where the text shows the line of the attribute, it is there or not.
            let lines = text.lines().map(|it| it.replace(ATTRIBUTE, ""));
            let text: Vec<_> = lines.map(|it| it.trim_end().to_owned()).collect();
            Some((lint.to_owned(), text.join("\n")))
        })
        .collect()
}

#[test]
fn p09_no_warning_appears_or_disappears() {
    let source = include_str!("../warnings.rs");
    let plain: Vec<_> = source
        .lines()
        .map(|line| if line.trim() == ATTRIBUTE { "" } else { line })
        .collect();
    let functions = source.lines().filter(|it| it.trim() == ATTRIBUTE).count();
    for edition in ["2021", "2024"] {
        let without = warnings(edition, "plain", &plain.join("\n"), "");
        let with = warnings(edition, "section", source, "");
        let lints: BTreeSet<_> = without.iter().map(|(lint, _)| lint.as_str()).collect();
        for lint in OF_EXPORTED_ITEMS {
            assert!(lints.contains(lint), "{lint} is not among the warnings");
        }
        let differences: Vec<_> = without.symmetric_difference(&with).collect();
        for &difference in &differences {
            let appears = with.contains(difference);
            let (lint, text) = difference;
            assert!(
                DIFFERENCES.iter().any(|&(known, known_appears, place)| {
                    lint == known && appears == known_appears && text.contains(place)
                }),
                "{} the attribute only: {lint}: {text}",
                if appears { "with" } else { "without" }
            );
        }
        assert_eq!(differences.len(), DIFFERENCES.len());
        assert!(
            without.len() >= WARNINGS && lints.len() >= LINTS,
            "{} warnings of {} lints; {WARNINGS} of {LINTS} are promised",
            without.len(),
            lints.len()
        );
        writeln!(
            stderr(),
            "{} warnings of {} lints on {functions} functions are the same with the attribute, in edition {edition}",
            without.len() - differences.len(),
            lints.len()
        )
        .expect("stderr can be written");
    }
}

/// The settings are those that the page `soundness` shows.
#[test]
fn clippy_reports_a_guard_and_a_token_that_are_held_across_an_await() {
    let page = include_str!("../../lazy-mmu/src/soundness.rs");
    let lines = page.lines().map(|it| it.trim_start_matches("//!"));
    let block = lines.skip_while(|it| *it != " ```toml").skip(1);
    let settings: Vec<_> = block.take_while(|it| *it != " ```").collect();
    let source = include_str!("../awaits.rs");
    let warnings = warnings("2024", "awaits", source, &settings.join("\n"));
    let found: Vec<_> = warnings
        .iter()
        .filter(|(lint, _)| lint == "clippy::await_holding_invalid_type")
        .filter_map(|(_, text)| text.lines().next()?.split('`').nth(1))
        .collect();
    let expected = ["LazyMmu", "raw::PauseState", "raw::State"];
    assert_eq!(found, expected.map(|it| format!("lazy_mmu::{it}")));
}
