// A pause from nowhere would, on its end, reactivate a mode that somebody else has paused.
// Its fields are private.

use lazy_mmu::raw::{Kind, PauseState};

fn forge() -> PauseState {
    PauseState { kind: Kind::Outermost }
}

fn main() {}
