//! Links the kernel at the memory of QEMU's `virt` board, with the state machine in C, which the
//! kernels for aarch64 have too.

use std::env;
use std::process::Command;

/// The state machine in C.
const SOURCE: &str = "../../qemu/beside_c/lazy_mmu.c";

/// The C compiler, which Debian and Ubuntu have in the package `gcc-riscv64-linux-gnu`.
const GCC: &str = "riscv64-linux-gnu-gcc";

/// The options of a kernel: no position independence, and any address. The instructions and the
/// registers of arguments are those of the target `riscv64gc-unknown-none-elf`.
const FLAGS: [&str; 13] = [
    "-O2",
    "-march=rv64gc",
    "-mabi=lp64d",
    "-mcmodel=medany",
    "-msmall-data-limit=0",
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
    println!("cargo::rerun-if-changed=../memory.ld");
    println!("cargo::rerun-if-changed={SOURCE}");
    // The linker runs in the folder of the workspace.
    println!("cargo::rustc-link-arg-bins=-Tmemory.ld");
    let out = env::var("OUT_DIR").expect("cargo sets it");
    // The source is compiled once for each place of the bits.
    for place in ["OWN_BYTE", "SHARED_WORD"] {
        let object = format!("{out}/{place}.o");
        let status = Command::new(GCC)
            .args(FLAGS)
            .arg(format!("-D{place}"))
            .args(["-c", SOURCE, "-o", &object])
            .status()
            .unwrap_or_else(|error| {
                panic!("{GCC} cannot be started ({error}): install gcc-riscv64-linux-gnu")
            });
        assert!(status.success(), "{GCC} refuses {SOURCE}");
        println!("cargo::rustc-link-arg-bins={object}");
    }
}
