// A level of one's own could say that a nested section ends the mode, or that the outermost does not.
// `Level` is sealed: its supertrait cannot be named (E0277).

use lazy_mmu::{Level, Nested};

struct Mine;

impl Level for Mine {
    type Nested = Nested;
}

fn main() {}
