//! Links the program at a high virtual address, to be loaded at a low physical one.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=early.ld");
    if env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("none") {
        let here = env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
        println!("cargo::rustc-link-arg-bins=-T{here}/early.ld");
    }
}
