// A user's type could say that a nested section ends the mode, or that the outermost does not.
// `Nesting` is sealed: code outside the crate cannot name its supertrait (E0277).

use lazy_mmu::{Nesting, Nested};

struct Mine;

impl Nesting for Mine {
    type Nested = Nested;
}

fn main() {}
