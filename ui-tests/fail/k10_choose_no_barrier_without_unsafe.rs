// Stores without a barrier are right only where no walker reaches the tables.
// `NoWalker` is an unsafe trait: its author promises that (E0200), and no other type will do (E0277).

use core::sync::atomic::AtomicU64;
use lazy_mmu::aarch64::descriptor::Leaf;
use lazy_mmu::{NoWalker, Unreached};

struct Boot;

impl NoWalker for Boot {}

struct Careless;

fn main() {
    let slot = AtomicU64::new(0);
    lazy_mmu::with::<Unreached<Careless>, _>(|mmu| mmu.write(&slot, Leaf::INVALID));
}
