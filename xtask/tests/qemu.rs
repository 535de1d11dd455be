//! The kernels on the emulated CPU, as a test: `cargo test -p xtask --features qemu -- riscv64`.

use std::env;
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    let status = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["qemu", "--quick"])
        .args(env::args().skip(1))
        .status();
    match status {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        other => {
            eprintln!("cargo xtask qemu --quick: {other:?}");
            ExitCode::FAILURE
        }
    }
}
