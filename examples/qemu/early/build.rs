//! Links the program at a high virtual address, and lets it be loaded at a low physical one.

fn main() {
    println!("cargo::rerun-if-changed=early.ld");
    let here = env!("CARGO_MANIFEST_DIR");
    println!("cargo::rustc-link-arg-bins=-T{here}/early.ld");
}
