// The TLB of another CPU could keep the mapping of a frame that is used again. `on_this_cpu` is
// unsafe: its caller promises that only this CPU can have the mapping (E0133).

use lazy_mmu::aarch64::Granule;

fn main() {
    let page = Granule::Kib4.range(0x4000_0000, 1).unwrap();
    let _ = page.of_asid(1).on_this_cpu();
}
