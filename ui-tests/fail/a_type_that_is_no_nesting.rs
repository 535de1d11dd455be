// The type says what the leave does. The crate knows three; a guard with a fourth could not leave.
// `L` must be a `Nesting`, and the error lists them (E0277).

use lazy_mmu::LazyMmu;
use lazy_mmu::sim::Sim;

fn takes(_: &mut LazyMmu<'_, u8, Sim>) {}

fn main() {}
