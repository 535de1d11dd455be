// Leaving with a forged token would end the mode inside another section.
// The fields are private, and code outside the crate cannot make a value for one of them.

use lazy_mmu::raw::{Kind, State};

fn forge() -> State {
    State {
        kind: Kind::Outermost,
    }
}

fn main() {}
