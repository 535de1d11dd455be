//! Links the programs with the linker script of `aarch64-rt`, at the address where QEMU's `virt` board has its memory.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=memory.ld");
    if env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("none") {
        let here = env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
        println!("cargo::rustc-link-arg-bins=-Timage.ld");
        println!("cargo::rustc-link-arg-bins=-T{here}/memory.ld");
        println!("cargo::rustc-link-arg-bins=--entry=start");
    }
}
