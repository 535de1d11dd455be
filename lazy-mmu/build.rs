//! Nothing to build: cargo demands a build script of a package with `links`.
//!
//! There is no native library either. Cargo refuses two packages with the same `links` in one
//! dependency graph. Two copies of this crate in one program would share one registered backend.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
}
