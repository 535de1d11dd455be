// Another CPU's TLB would keep the mapping of a frame that is used again.
// `on_this_cpu` is unsafe: the caller promises that no other CPU has it (E0133).

use lazy_mmu::aarch64::Granule;

fn main() {
    let page = Granule::Kib4.range(0x4000_0000, 1).unwrap();
    let _ = page.of_asid(1).on_this_cpu();
}
