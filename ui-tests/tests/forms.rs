//! The forms of functions in `forms`, with and without the attribute, in editions 2021 and 2024: the results must be the
//! same, and there must be no warning.

use std::io::{Write, stderr};

mod cargo;

const EDITIONS: [&str; 2] = ["2021", "2024"];

/// How many forms there are at least, in each edition.
const FORMS: usize = 200;

#[test]
fn p01_p09_every_form_gives_the_same_with_and_without_the_attribute() {
    for edition in EDITIONS {
        let package = format!("ui-tests-forms-{edition}");
        let program = format!("forms-{edition}");
        let results = ["", "section"].map(|features| {
            let features = format!("--features={features}");
            let what = ["--package", &package, "--bin", &program, &features];
            // The programs deny all warnings.
            cargo::succeed(&[&["clippy"], &what[..]].concat());
            cargo::succeed(&[&["run"], &what[..]].concat())
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
