// `Global` as the registered backend would forward to itself for ever.
// The program's registered backend keeps no bits of its own to register (E0277).

use lazy_mmu::{Global, set_global_backend};

set_global_backend!(Global);

fn main() {}
