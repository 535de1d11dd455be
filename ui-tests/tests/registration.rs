//! Row K07: a program with no backend, or with two, is not built, and the error names the line that
//! mends it. Row K11: nor is one with two copies of the crate.

mod cargo;

use std::fs;
use std::path::Path;

const PACKAGE: &str = "ui-tests-registration";
const SYMBOL: &str = "lazy_mmu::set_global_backend!.must_stand_once_in_the_program";

/// What the linker says is wrong with the program: each of its errors names the line that mends it.
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
        .filter(|line| line.contains("error: ") && line.contains(" symbol"))
        .collect();
    assert!(
        !errors.is_empty() && errors.iter().all(|error| error.contains(SYMBOL)),
        "{}",
        output.stderr
    );
    errors.join("\n")
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
fn k11_the_registered_backend_cannot_be_registered_through_eager() {
    let output = cargo::run(&[
        "build",
        "--package",
        PACKAGE,
        "--bin",
        "registered-itself",
        "--features=broken",
    ]);
    let message = "`Global` is the registered backend: an `Eager` of it cannot be registered";
    assert!(
        !output.success && output.stderr.contains(message),
        "{}",
        output.stderr
    );
}

#[test]
fn k06_one_backend_for_a_library_that_does_not_know_it() {
    let output = cargo::run(&["run", "--package", PACKAGE, "--bin", "registered-once"]);
    assert!(output.success, "{}", output.stderr);
    assert_eq!(output.stdout, "one pair\n");
}

/// Two copies would share one registered backend, and one would call its functions as the other's.
/// Of the second copy only the manifest counts.
#[test]
fn k11_two_copies_in_one_program_are_refused() {
    let first = Path::new(env!("CARGO_MANIFEST_DIR")).join("../lazy-mmu");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("two-copies");
    let write = |file: &str, text: &str| {
        let file = folder.join(file);
        fs::create_dir_all(file.parent().expect("a folder")).expect("it can be made");
        fs::write(file, text).expect("it can be written");
    };
    write("copy/build.rs", "fn main() {}");
    write("copy/src/lib.rs", "");
    write("src/main.rs", "fn main() {}");
    let manifest = format!(
        "[package]\nname = 'two-copies'\nedition = '2024'\n[workspace]\n[dependencies]\n\
         first = {{ package = 'lazy-mmu', path = '{}' }}\n\
         second = {{ package = 'lazy-mmu', path = 'copy' }}\n",
        first.display()
    );
    write("Cargo.toml", &manifest);
    write("Cargo.lock", include_str!("../../Cargo.lock"));
    let manifest = folder.join("Cargo.toml");
    let manifest = manifest.to_str().expect("the path is text");
    for version in [env!("CARGO_PKG_VERSION"), "0.1.99"] {
        let copy = "[package]\nname = 'lazy-mmu'\nedition = '2024'\nlinks = 'lazy-mmu'\n";
        write("copy/Cargo.toml", &format!("{copy}version = '{version}'\n"));
        let output = cargo::run_anywhere(&["check", "--offline", "--manifest-path", manifest]);
        assert!(!output.success, "{version} must not be built");
        let error = "links to the native library `lazy-mmu`, but it conflicts";
        assert!(output.stderr.contains(error), "{}", output.stderr);
    }
}
