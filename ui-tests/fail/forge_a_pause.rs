// The end of a forged pause would activate a mode that other code has paused.
// The fields of the state are private.

use lazy_mmu::raw::{Kind, PauseState};

fn forge() -> PauseState {
    PauseState { kind: Kind::Outermost }
}

fn main() {}
