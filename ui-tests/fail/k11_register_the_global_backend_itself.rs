// `Global`, or an `Eager` of it, as the registered backend would forward to itself for ever.
// The program's registered backend keeps no bits of its own to register (E0277).

use lazy_mmu::{Eager, Global, set_global_backend};

set_global_backend!(Global);
set_global_backend!(Eager<Global>);
set_global_backend!(Eager<Eager<Global>>);

fn main() {}
