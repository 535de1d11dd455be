// A gather that outlives its closure could be forgotten, and its storage could be read before the
// invalidation. The closure only borrows the gather (E0521).

use lazy_mmu::gather;
use lazy_mmu::sim::Sim;

fn main() {
    let mut frames = [const { None::<u64> }; 8];
    let mut kept = None;
    gather::<Sim, _, _>(&mut frames, |gather| kept = Some(gather));
}
