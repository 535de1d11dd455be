//! Links the kernels of a package by the linker script of `aarch64-rt`, where QEMU's `virt` board
//! has its memory; and, if the package has one, with the protocol in C.

use std::env;
use std::path::Path;
use std::process::Command;

/// The protocol in C.
const SOURCE: &str = "lazy_mmu.c";

/// The compiler of the C form: that of Debian's and Ubuntu's package `gcc-aarch64-linux-gnu`.
const GCC: &str = "aarch64-linux-gnu-gcc";

/// A kernel's code without position independence and floating point, and with the atomics of Armv8.1 in line: what the crate
/// is built for too.
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
    // The linker runs in the workspace's folder.
    for argument in ["-Timage.ld", "-Tmemory.ld", "--entry=start"] {
        println!("cargo::rustc-link-arg-bins={argument}");
    }
    if Path::new(SOURCE).exists() {
        c_form();
    }
}

/// Compiles the C form, once for each place of the bits.
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
