// The pause would outlive its section, and on its end reactivate a mode that nobody is in.
// The closure must work for any lifetime of the section (E0521 and its like).

use lazy_mmu::sim::Sim;

fn main() {
    let pause = lazy_mmu::with::<Sim, _>(|mmu| mmu.pause());
    drop(pause);
}
