// A pause from nowhere would, on its end, reactivate a mode that somebody else has paused.
// Its fields are private.

use lazy_mmu::Paused;
use lazy_mmu::sim::Sim;

fn forge() -> Paused<'static, Sim> {
    Paused {
        outermost: true,
        memory: None,
    }
}

fn main() {}
