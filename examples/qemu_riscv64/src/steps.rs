//! Marks: a plugin of QEMU, the observer, records the stores to entries and the fences of a hart
//! between two of them.
//!
//! A mark is `slti x0, x0, N`, a HINT without an effect ("RISC-V Unprivileged Architecture", "HINT
//! Instructions"). A number begins a recording, and 0 ends the last one that has not ended. A
//! recording inside another one is apart from it. A line of the output says where its steps belong,
//! by [`Of`], and `cargo xtask qemu` puts them there: the first line for a number has the steps of
//! the first recording with that number, and so on.

use core::arch::asm;
use core::fmt;

/// The operations of the programs.
pub const OPERATION: u16 = 1;
/// The interrupt handler.
pub const HANDLER: u16 = 2;

/// Begins a recording with the number `N`, which is not 0.
#[inline(always)]
#[expect(clippy::inline_always, reason = "it is one instruction")]
pub fn start<const N: u16>() {
    const { assert!(N > 0 && N < 1 << 11) };
    // SAFETY: the instruction is a HINT. The compiler does not move accesses over it.
    unsafe { asm!("slti x0, x0, {n}", n = const N, options(nostack, preserves_flags)) };
}

/// Ends the recording.
#[inline(always)]
#[expect(clippy::inline_always, reason = "it is one instruction")]
pub fn stop() {
    // SAFETY: as in `start`.
    unsafe { asm!("slti x0, x0, 0", options(nostack, preserves_flags)) };
}

/// Records `program` as an [`OPERATION`].
pub fn record<R>(program: impl FnOnce() -> R) -> R {
    start::<OPERATION>();
    let result = program();
    stop();
    result
}

/// Prints the place of a recording's steps, by its number.
#[derive(Clone, Copy, Debug)]
pub struct Of(pub u16);

impl fmt::Display for Of {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<steps {}>", self.0)
    }
}
