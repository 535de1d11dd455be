// If `Global` were the registered backend, it would forward each call to itself without an end.
// The storage of `Global` is not registrable (E0277).

use lazy_mmu::{Global, set_global_backend};

set_global_backend!(Global);

fn main() {}
