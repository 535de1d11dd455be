// If two gathers changed places, each storage would be invalidated at the other gather's end. The
// inner storage could be read before. Each gather has its own identity (E0521).

use lazy_mmu::gather;
use lazy_mmu::sim::Sim;

fn main() {
    let (mut one, mut two) = ([const { None::<u64> }; 8], [const { None::<u64> }; 8]);
    gather::<Sim, _, _>(&mut one, |outer| {
        gather::<Sim, _, _>(&mut two, |inner| core::mem::swap(outer, inner));
    });
}
