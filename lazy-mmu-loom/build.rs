//! Sets `cfg(loom)`, with which the sources of `lazy-mmu` use loom's atomics for the flags word.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-cfg=loom");
}
