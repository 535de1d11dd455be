//! What stands before `main`: the identity map for the image, the panic handler.

use core::panic::PanicInfo;

use aarch64_paging::descriptor::El1Attributes as Attributes;
use aarch64_rt::{InitialPagetable, initial_pagetable};
use semihosting::{eprintln, process};

/// The UART and its like, which no program here uses: semihosting prints.
const DEVICE: Attributes = Attributes::VALID
    .union(Attributes::ATTRIBUTE_INDEX_0)
    .union(Attributes::ACCESSED)
    .union(Attributes::PXN)
    .union(Attributes::UXN);

/// The RAM. Attribute index 1 of `aarch64-rt`'s MAIR is normal memory, write-back.
const MEMORY: Attributes = Attributes::VALID
    .union(Attributes::ATTRIBUTE_INDEX_1)
    .union(Attributes::INNER_SHAREABLE)
    .union(Attributes::ACCESSED)
    .union(Attributes::UXN);

initial_pagetable!({
    let mut blocks = [0; 512];
    // 1 GiB each.
    blocks[0] = DEVICE.bits();
    blocks[1] = 0x4000_0000 | MEMORY.bits();
    InitialPagetable(blocks)
});

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    crate::step::mask();
    eprintln!("{info}");
    process::exit(1);
}
