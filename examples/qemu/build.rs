//! Links the programs with the linker script of `aarch64-rt`, at the address where QEMU's `virt` board has its memory; and
//! those that count the crate beside C with the protocol in C.

use std::env;
use std::process::Command;

/// The compiler of the C form: that of Debian's and Ubuntu's package `gcc-aarch64-linux-gnu`.
const GCC: &str = "aarch64-linux-gnu-gcc";

/// A kernel's code without position independence and floating point, and with the atomics of Armv8.1 in line: what the crate
/// is built for too.
const FLAGS: [&str; 11] = [
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
    "-Werror",
];

fn main() {
    println!("cargo::rerun-if-changed=memory.ld");
    if env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("none") {
        let here = env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
        println!("cargo::rustc-link-arg-bins=-Timage.ld");
        println!("cargo::rustc-link-arg-bins=-T{here}/memory.ld");
        println!("cargo::rustc-link-arg-bins=--entry=start");
        if env::var_os("CARGO_FEATURE_C_FORM").is_some() {
            c_form();
        }
    }
}

/// Compiles the C form, once for each place of the bits, and links it with the programs that count it.
fn c_form() {
    println!("cargo::rerun-if-changed=c/lazy_mmu.c");
    let out = env::var("OUT_DIR").expect("cargo sets it");
    for place in ["OWN_BYTE", "SHARED_WORD"] {
        let object = format!("{out}/{place}.o");
        let status = Command::new(GCC)
            .args(FLAGS)
            .arg(format!("-D{place}"))
            .args(["-c", "c/lazy_mmu.c", "-o", &object])
            .status()
            .unwrap_or_else(|error| {
                panic!(
                    "{GCC} cannot be started ({error}): install the package gcc-aarch64-linux-gnu"
                )
            });
        assert!(status.success(), "{GCC} refuses c/lazy_mmu.c");
        for program in ["budgets", "comparison", "scale"] {
            println!("cargo::rustc-link-arg-bin={program}={object}");
        }
    }
}
