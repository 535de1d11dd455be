// Two gathers exchanged would each be invalidated at the other's end: the inner one's storage could
// be read before its invalidation. Each has a brand of its own (lifetime errors).

use lazy_mmu::gather;
use lazy_mmu::sim::Sim;

fn main() {
    let (mut one, mut two) = ([const { None::<u64> }; 8], [const { None::<u64> }; 8]);
    gather::<Sim, _, _>(&mut one, |outer| {
        gather::<Sim, _, _>(&mut two, |inner| core::mem::swap(outer, inner));
    });
}
