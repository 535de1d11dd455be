//! Links the kernels of a package at the memory of QEMU's `virt` board, with the linker script of
//! `aarch64-rt`. If the package has the state machine in C, compiles and links that too.

use std::env;
use std::path::Path;
use std::process::Command;

/// The state machine in C.
const SOURCE: &str = "lazy_mmu.c";

/// The C compiler, which Debian and Ubuntu have in the package `gcc-aarch64-linux-gnu`.
const GCC: &str = "aarch64-linux-gnu-gcc";

/// The options of a kernel: no position independence, no floating point, and inline atomics of
/// Armv8.1. The crate is built for the same instructions.
const FLAGS: [&str; 12] = [
    "-O2",
    "-march=armv8.1-a",
    "-mno-outline-atomics",
    "-mgeneral-regs-only",
    "-ffreestanding",
    "-fno-pic",
    "-fno-stack-protector",
    "-fno-asynchronous-unwind-tables",
    "-Wall",
    "-Wextra",
    "-Wno-unused-parameter",
    "-Werror",
];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // The linker runs in the folder of the workspace.
    for argument in ["-Timage.ld", "-Tmemory.ld", "--entry=start"] {
        println!("cargo::rustc-link-arg-bins={argument}");
    }
    if Path::new(SOURCE).exists() {
        c_form();
    }
}

/// Compiles the C source once for each place of the bits.
fn c_form() {
    println!("cargo::rerun-if-changed={SOURCE}");
    let out = env::var("OUT_DIR").expect("cargo sets it");
    for place in ["OWN_BYTE", "SHARED_WORD"] {
        let object = format!("{out}/{place}.o");
        let status = Command::new(GCC)
            .args(FLAGS)
            .arg(format!("-D{place}"))
            .args(["-c", SOURCE, "-o", &object])
            .status()
            .unwrap_or_else(|error| {
                panic!("{GCC} cannot be started ({error}): install gcc-aarch64-linux-gnu")
            });
        assert!(status.success(), "{GCC} refuses {SOURCE}");
        println!("cargo::rustc-link-arg-bins={object}");
    }
}
