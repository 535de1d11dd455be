// A user's storage could claim the layout of another storage.
// `Registrable` is sealed: code outside the crate cannot name it (E0432).

use lazy_mmu::__private::Registrable;

struct Mine;

impl Registrable for Mine {}

fn main() {}
