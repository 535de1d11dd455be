//! Says to the sources of `lazy-mmu` that the flags word is loom's.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-cfg=loom");
}
