// Stores without a barrier are correct only if a walker does not reach the tables. `NoWalker` is an
// unsafe trait, whose implementer promises this (E0200). Other types are refused (E0277).

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
