// The type says what the leave does. The crate knows three; a guard with a fourth could not leave.
// `L` must be a `Nesting`, and the error lists them (E0277).

use lazy_mmu::LazyMmu;

fn takes(_: &mut LazyMmu<'_, u8>) {}

fn main() {}
