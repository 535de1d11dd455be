//! Row K07: a program with no backend, or with two, is not built, and the error names the line that mends it.

mod cargo;

const PACKAGE: &str = "ui-tests-registration";
const SYMBOL: &str = "lazy_mmu::set_global_backend!.must_stand_once_in_the_program";

/// The one line that says what is wrong with the program.
fn complaint(program: &str, feature: &str, profile: &str) -> String {
    let features = format!("--features={feature}");
    let profile = format!("--profile={profile}");
    let output = cargo::run(&[
        "build",
        "--package",
        PACKAGE,
        "--bin",
        program,
        &features,
        &profile,
    ]);
    assert!(!output.success, "{program} must not be built");
    let errors: Vec<_> = output
        .stderr
        .lines()
        // Linkers go on with the places, in lines of their own.
        .filter(|line| line.contains(SYMBOL) && line.contains("error: "))
        .collect();
    let [error] = errors[..] else {
        panic!("one error is expected: {}", output.stderr);
    };
    error.to_owned()
}

#[test]
fn k07_a_program_needs_one_backend() {
    for profile in ["dev", "release"] {
        let error = complaint("registered-nowhere", "broken", profile);
        assert!(error.contains("undefined symbol"), "{error}");
    }
}

#[test]
fn k07_two_backends_are_one_too_many() {
    let error = complaint("registered-twice", "broken", "dev");
    assert!(error.contains("already defined"), "{error}");
    for program in ["registered-in-two-crates", "registered-in-an-unused-crate"] {
        for profile in ["dev", "release"] {
            let error = complaint(program, "library-registers", profile);
            assert!(error.contains("duplicate symbol"), "{error}");
        }
    }
}

#[test]
fn k06_one_backend_for_a_library_that_does_not_know_it() {
    let output = cargo::run(&["run", "--package", PACKAGE, "--bin", "registered-once"]);
    assert!(output.success, "{}", output.stderr);
    assert_eq!(output.stdout, "one pair\n");
}
