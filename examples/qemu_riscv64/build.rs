//! Links the kernels at the memory of QEMU's `virt` board.

fn main() {
    println!("cargo::rerun-if-changed=memory.ld");
    // The linker runs in the folder of the workspace.
    println!("cargo::rustc-link-arg-bins=-Tmemory.ld");
}
