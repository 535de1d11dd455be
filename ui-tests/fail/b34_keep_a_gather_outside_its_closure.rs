// A gather that outlives its closure could be forgotten, and its storage read before the
// invalidation. It is lent to the closure only (E0521).

use lazy_mmu::gather;
use lazy_mmu::sim::Sim;

fn main() {
    let mut frames = [const { None::<u64> }; 8];
    let mut kept = None;
    gather::<Sim, _, _>(&mut frames, |gather| kept = Some(gather));
}
