// The second resume would end a pause that is further out.
// Dropping the pause consumes it (E0382).

use lazy_mmu::sim::Sim;

fn main() {
    lazy_mmu::with::<Sim, _>(|mmu| {
        let pause = mmu.pause();
        drop(pause);
        drop(pause);
    });
}
