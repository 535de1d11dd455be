// A token from nowhere would end the mode of whoever is in a section.
// Its fields are private (E0451).

use lazy_mmu::raw::{Kind, State};

fn forge() -> State {
    State {
        kind: Kind::Outer,
        thread: unreachable!(),
    }
}

fn main() {}
