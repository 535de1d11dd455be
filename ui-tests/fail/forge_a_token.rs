// A token from nowhere would end the mode of whoever is in a section.
// Its fields are private, and one of them cannot even be made outside the crate.

use lazy_mmu::raw::{Kind, State};

fn forge() -> State {
    State {
        kind: Kind::Outermost,
    }
}

fn main() {}
