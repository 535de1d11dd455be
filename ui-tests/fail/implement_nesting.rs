// A type of one's own could say that a nested section ends the mode, or that the outermost does
// not. `Nesting` is sealed: its supertrait cannot be named (E0277).

use lazy_mmu::{Nesting, Nested};

struct Mine;

impl Nesting for Mine {
    type Nested = Nested;
}

fn main() {}
