// Leaving with a forged token would end the mode inside another section.
// The fields of the token are private, and code outside the crate cannot make one of them.

use lazy_mmu::raw::{Kind, State};

fn forge() -> State {
    State {
        kind: Kind::Outermost,
    }
}

fn main() {}
