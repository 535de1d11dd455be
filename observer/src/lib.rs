//! The observer of a running kernel.
//!
//! An emulated CPU does not need the barriers of page tables. The observer sees each access, each
//! store to a table and each barrier of a kernel in QEMU, and knows the architecture's rule. It
//! reports each access that relies on a barrier that was not executed. `cargo xtask observe` runs
//! kernels under it. This library is the part that does not need QEMU.

pub mod trampolines;
