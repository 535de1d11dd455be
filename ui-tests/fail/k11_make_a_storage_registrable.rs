// A storage of one's own could say that it is laid out as another one is.
// `Registrable` is sealed: code outside the crate cannot name it (E0432).

use lazy_mmu::__private::Registrable;

struct Mine;

impl Registrable for Mine {}

fn main() {}
