//! QEMU's `virt` board: the identity map in TTBR0, the panic handler.

use core::panic::PanicInfo;

use aarch64_rt::{InitialPagetable, initial_pagetable};
use lazy_mmu::aarch64::Granule;
use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf, PXN, memory_type};
use semihosting::{eprintln, process};

/// The devices: byte 0 of the MAIR of `aarch64-rt` is Device memory.
const DEVICE: u64 = KERNEL_DATA | memory_type(0);
/// Memory: byte 1 is normal memory, write-back.
pub(crate) const NORMAL: u64 = KERNEL_DATA | memory_type(1);

const fn block(address: u64, attributes: u64) -> usize {
    match Leaf::new(Granule::Kib4, 1, address, attributes) {
        Ok(leaf) => usize::from_ne_bytes(leaf.0.to_ne_bytes()),
        Err(_) => panic!("the address is not that of a block"),
    }
}

initial_pagetable!({
    let mut blocks = [0; 512];
    blocks[0] = block(0, DEVICE);
    blocks[1] = block(0x4000_0000, NORMAL & !PXN);
    InitialPagetable(blocks)
});

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    eprintln!("{info}");
    process::exit(1);
}
