// A pause from nowhere would, on its end, reactivate a mode that somebody else has paused.
// Its fields are private.

use lazy_mmu::Paused;
use lazy_mmu::sim::Sim;

fn forge() -> Paused<'static, Sim> {
    Paused {
        kind: lazy_mmu::raw::Kind::Outer,
        memory: None,
    }
}

fn main() {}
