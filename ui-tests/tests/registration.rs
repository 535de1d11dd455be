//! A program without a registered backend, or with two, is not built. The error names the line that
//! is missing or doubled (K07). A program with two copies of the crate is not built either (K11).

mod cargo;

use std::path::Path;

/// Runs a command of cargo on the program in `edition_2021`, with these features.
fn program(command: &str, profile: &str, features: &str) -> Result<String, String> {
    let package = "--locked --package=ui-tests-2021 --no-default-features";
    let arguments = format!("{command} {package} --profile={profile} --features={features}");
    cargo::run(Path::new(env!("CARGO_MANIFEST_DIR")), &arguments)
}

/// Returns the errors of the linker, each of which must name the line that mends the program.
fn complaint(profile: &str, features: &str) -> String {
    let text = program("build", profile, features).expect_err("the program must not be built");
    // Linkers add the places in further lines.
    let is_error = |line: &&str| line.contains("error: ") && line.contains(" symbol");
    let errors: Vec<_> = text.lines().filter(is_error).collect();
    let symbol = "lazy_mmu::set_global_backend!.must_stand_once_in_the_program";
    let right = !errors.is_empty() && errors.iter().all(|error| error.contains(symbol));
    assert!(right, "{text}");
    errors.join("\n")
}

#[test]
fn k07_a_program_needs_one_backend() {
    for profile in ["dev", "release"] {
        let error = complaint(profile, "");
        assert!(error.contains("undefined symbol"), "{error}");
    }
}

#[test]
fn k07_two_backends_are_one_too_many() {
    let error = complaint("dev", "registers,registers-another");
    assert!(error.contains("already defined"), "{error}");
    for profile in ["dev", "release"] {
        for use_of_the_library in ["", "library-is-unused"] {
            let features = format!("registers-another,library-registers,{use_of_the_library}");
            let error = complaint(profile, &features);
            assert!(error.contains("duplicate symbol"), "{error}");
        }
    }
}

#[test]
fn k11_the_registered_backend_cannot_be_registered_through_eager() {
    let error =
        program("build", "dev", "registers-itself").expect_err("the program must not be built");
    let message = "`Global` is the registered backend: an `Eager` of it cannot be registered";
    assert!(error.contains(message), "{error}");
}

#[test]
fn k06_one_backend_for_a_library_that_does_not_know_it() {
    let output = program("run", "dev", "registers");
    assert_eq!(output.as_deref(), Ok("1 pair\n"));
}

/// Two copies would share the symbols of one registered backend, though the copies can differ. Only
/// the manifest of the second copy matters.
#[test]
fn k11_two_copies_in_one_program_are_refused() {
    let manifest = format!(
        "[package]\nname = 'two-copies'\nedition = '2024'\n[workspace]\n[dependencies]\n\
         first = {{ package = 'lazy-mmu', path = '{}/../lazy-mmu' }}\n\
         second = {{ package = 'lazy-mmu', path = 'copy' }}\n",
        env!("CARGO_MANIFEST_DIR")
    );
    for version in [env!("CARGO_PKG_VERSION"), "0.1.99"] {
        let copy = format!(
            "[package]\nname = 'lazy-mmu'\nversion = '{version}'\nedition = '2024'\n\
             links = 'lazy-mmu'\n"
        );
        let files = [
            ("copy/Cargo.toml", &copy[..]),
            ("copy/build.rs", "fn main() {}"),
            ("copy/src/lib.rs", ""),
            ("Cargo.toml", &manifest),
            ("src/main.rs", "fn main() {}"),
        ];
        let folder = cargo::write("two-copies", &files);
        let error =
            cargo::run(&folder, "check --offline").expect_err("the program must not be built");
        let message = "links to the native library `lazy-mmu`, but it conflicts";
        assert!(error.contains(message), "{error}");
    }
}
