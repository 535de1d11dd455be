// The nesting in the type decides what leave does. The crate defines three kinds, and a guard with
// a fourth kind could not leave. `L` must be a `Nesting`, and the error lists them (E0277).

use lazy_mmu::LazyMmu;

fn takes(_: &mut LazyMmu<'_, u8>) {}

fn main() {}
