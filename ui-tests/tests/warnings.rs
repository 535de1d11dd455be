//! The attribute must not change the warnings of the compiler and Clippy. They are compared for the
//! functions in `warnings.rs`, in editions 2021 and 2024.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde_json::Value;

mod cargo;

/// The line above each function, without and with the attribute.
const PLAIN: &str = "// Plain.";
const ATTRIBUTE: &str = "#[lazy_mmu::lazy_mmu]";

/// The warnings that the attribute changes. Each lint judges the whole body, and the section is a
/// change of the body. The attribute adds (`+`) or removes (`-`) the warning of this Clippy lint.
/// The text is a part of the source by which the warning is recognised.
const DIFFERENCES: [(char, &str, &str); 8] = [
    // Clippy accepts `inline(always)` on an empty body, but the section fills the body.
    ('+', "inline_always", "empty_inline_always"),
    // The lint advises `async fn`, which the attribute refuses.
    ('-', "manual_async_fn", "fn manual_async_fn"),
    // A derived implementation would not have a section.
    ('-', "derivable_impls", "impl Default for Derivable"),
    // The lint advises to remove the implementation, which would remove the section.
    ('-', "empty_drop", "impl Drop for EmptyDrop"),
    // The macro call may expand to statements. It comes after the section, which is a statement.
    ('+', "items_after_statements", "const BEHIND_NOTHING"),
    // The lint takes a body that is only a field for a getter.
    ('-', "misnamed_getters", "fn first(&self)"),
    // Implementations with a section are not canonical, because they do more.
    ('+', "non_canonical_clone_impl", "*self"),
    ('+', "non_canonical_partial_ord_impl", "self.cmp(other)"),
];

/// A warning: the crate, the lint, and the whole text with the places.
type Warning = (String, String, String);

static WARNINGS: LazyLock<BTreeSet<Warning>> = LazyLock::new(clippy);

/// Returns the lints and texts of a crate's warnings.
fn warnings(name: &str) -> BTreeSet<(&'static str, &'static str)> {
    let warnings = WARNINGS.iter().filter(|it| it.0 == name);
    warnings.map(|it| (&it.1[..], &it.2[..])).collect()
}

/// Returns Clippy's warnings for `awaits.rs`, and for `warnings.rs` without and with the attribute.
fn clippy() -> BTreeSet<Warning> {
    let source = |above: &'static str| {
        let lines = include_str!("../warnings.rs").lines().flat_map(|line| {
            let above = line.contains("fn ").then_some(above);
            above.into_iter().chain([line])
        });
        lines.collect::<Vec<_>>().join("\n")
    };
    let (plain, section) = (source(PLAIN), source(ATTRIBUTE));
    for (name, edition, source) in [
        ("plain_2021", "2021", &plain[..]),
        ("section_2021", "2021", &section),
        ("plain_2024", "2024", &plain),
        ("section_2024", "2024", &section),
        ("awaits", "2024", include_str!("../awaits.rs")),
    ] {
        let manifest = format!(
            "[package]\nname = '{name}'\nedition = '{edition}'\n\
             [dependencies]\nlazy-mmu = {{ path = '{}/../lazy-mmu' }}\n",
            env!("CARGO_MANIFEST_DIR")
        );
        let files = [("Cargo.toml", &manifest[..]), ("src/lib.rs", source)];
        cargo::write(&format!("warnings/{name}"), &files);
    }
    // The page `soundness` contains the settings for `awaits`.
    let page = include_str!("../../lazy-mmu/src/soundness.rs");
    let lines = page.lines().map(|it| it.trim_start_matches("//!"));
    let block = lines.skip_while(|it| *it != " ```toml").skip(1);
    let settings = block.take_while(|it| *it != " ```");
    let settings = settings.chain(["too-many-lines-threshold = 9"]);
    let settings = settings.collect::<Vec<_>>().join("\n");
    let workspace = "[workspace]\nresolver = '3'\nmembers = ['awaits', 'plain_*', 'section_*']\n";
    let files = [("Cargo.toml", workspace), ("clippy.toml", &settings)];
    let folder = cargo::write("warnings", &files);

    let json = cargo::run(&folder, "clippy --message-format=json").expect("the crates compile");
    let messages = json.lines().filter_map(|it| {
        let message: Value = serde_json::from_str(it).ok()?;
        let (name, message) = (message["target"]["name"].as_str()?, &message["message"]);
        // The last message is the number of warnings, which is not a lint.
        let lint = message["code"]["code"].as_str()?;
        // The text contains the path of the file, and may contain the line above the function.
        let text = message["rendered"].as_str()?;
        let text = text.replace(name, "").replace(PLAIN, ATTRIBUTE);
        Some((name.to_owned(), lint.to_owned(), text))
    });
    messages.collect()
}

#[test]
fn p09_no_warning_appears_or_disappears() {
    for edition in ["2021", "2024"] {
        let plain = warnings(&format!("plain_{edition}"));
        let section = warnings(&format!("section_{edition}"));
        let added = section.difference(&plain).map(|it| ('+', it));
        let removed = plain.difference(&section).map(|it| ('-', it));
        let differences: Vec<_> = added.chain(removed).collect();
        for &(sign, (lint, text)) in &differences {
            let mut known = DIFFERENCES
                .iter()
                .filter(|it| it.0 == sign && lint.ends_with(it.1));
            assert!(known.any(|it| text.contains(it.2)), "{sign} {lint}: {text}");
        }
        assert_eq!(differences.len(), DIFFERENCES.len());
        let exported = |it: &(&str, _)| it.0 == "clippy::missing_safety_doc";
        assert!(plain.iter().any(exported), "some functions are exported");
    }
}

#[test]
fn clippy_reports_a_guard_and_a_token_that_are_held_across_an_await() {
    let warnings = warnings("awaits");
    let found: Vec<_> = warnings
        .iter()
        .filter(|(lint, _)| *lint == "clippy::await_holding_invalid_type")
        .filter_map(|(_, text)| text.lines().next()?.split('`').nth(1))
        .collect();
    let expected = ["LazyMmu", "raw::PauseState", "raw::State"];
    assert_eq!(found, expected.map(|it| format!("lazy_mmu::{it}")));
}
