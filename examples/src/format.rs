//! The page-table entries and the address layout of the target architecture: RISC-V on riscv64, and
//! aarch64 everywhere else.

#[cfg(not(target_arch = "riscv64"))]
mod arch {
    use lazy_mmu::aarch64::Granule;
    use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, USER_DATA, memory_type};
    use lazy_mmu::{BadRange, VirtualRange};

    pub use lazy_mmu::aarch64::break_before_make;
    pub use lazy_mmu::aarch64::descriptor::{Leaf, Table, TopLevel};

    use crate::page::Frame;

    /// The base of the linear map: the physical address `p` is mapped at `LINEAR_BASE + p`.
    pub const LINEAR_BASE: u64 = 0xffff_0000_0000_0000;
    /// The area for kernel mappings of [`vmalloc`](crate::vmalloc) and
    /// [`populate`](crate::populate).
    pub const VMALLOC_BASE: u64 = 0xffff_8000_0000_0000;
    /// The area for mappings with the attributes of user pages.
    ///
    /// It is in the upper half, so that the kernel's table can hold these mappings too.
    pub const USER_BASE: u64 = 0xffff_c000_0000_0000;
    /// The first frame of the memory.
    ///
    /// It is the same on the hosted machine and on the CPU, so that the descriptors are the same.
    pub const MEMORY_BASE: Frame = Frame::containing(0x4800_0000);

    /// Normal memory, which is in byte 1 of MAIR_EL1.
    pub const NORMAL_MEMORY: u64 = memory_type(1);

    /// The attributes of a kernel's data.
    pub(crate) const KERNEL: u64 = KERNEL_DATA | NORMAL_MEMORY;
    /// The attributes of a user's data.
    pub(crate) const USER: u64 = USER_DATA | NORMAL_MEMORY;

    /// The address bits of a descriptor, for pages of 4 KiB and output addresses of 48 bits.
    pub(crate) const ADDRESS: u64 = 0x0000_ffff_ffff_f000;

    /// Returns the physical address in a valid descriptor.
    pub(crate) const fn address(bits: u64) -> u64 {
        bits & ADDRESS
    }

    /// Returns the range of `pages` pages that begins at `start`.
    ///
    /// # Errors
    ///
    /// [`BadRange`] if the pages are not in one half of the address space.
    pub const fn range(start: u64, pages: u64) -> Result<VirtualRange, BadRange> {
        Granule::Kib4.range(start, pages)
    }
}

#[cfg(target_arch = "riscv64")]
mod arch {
    use lazy_mmu::riscv64::Mode;
    use lazy_mmu::riscv64::descriptor::{KERNEL_DATA, USER_DATA};
    use lazy_mmu::{BadRange, VirtualRange};

    pub use lazy_mmu::riscv64::break_before_make;
    pub use lazy_mmu::riscv64::descriptor::{Leaf, Table, Table as TopLevel};

    use crate::page::Frame;

    // Sv39 has 256 GiB above the first of these addresses. An address of Sv39 is one of Sv48 too.

    /// The base of the linear map: the physical address `p` is mapped at `LINEAR_BASE + p`.
    pub const LINEAR_BASE: u64 = 0xffff_ffc0_0000_0000;
    /// The area for kernel mappings of [`vmalloc`](crate::vmalloc) and
    /// [`populate`](crate::populate).
    pub const VMALLOC_BASE: u64 = 0xffff_ffd0_0000_0000;
    /// The area for mappings with the attributes of user pages.
    ///
    /// It is in the upper half, so that the kernel's table can hold these mappings too.
    pub const USER_BASE: u64 = 0xffff_ffe0_0000_0000;
    /// The first frame of the memory. The firmware and the image are at the start of the RAM.
    pub const MEMORY_BASE: Frame = Frame::containing(0x8800_0000);

    /// The attributes of a kernel's data.
    pub(crate) const KERNEL: u64 = KERNEL_DATA;
    /// The attributes of a user's data.
    pub(crate) const USER: u64 = USER_DATA;

    /// The bits of a physical address, without the offset in a page.
    pub(crate) const ADDRESS: u64 = 0x00ff_ffff_ffff_f000;

    /// Returns the physical address in a valid descriptor.
    pub(crate) const fn address(bits: u64) -> u64 {
        Table(bits).address()
    }

    /// Returns the range of `pages` pages that begins at `start`.
    ///
    /// # Errors
    ///
    /// [`BadRange`] if the pages are not in one half of the address space.
    pub const fn range(start: u64, pages: u64) -> Result<VirtualRange, BadRange> {
        Mode::Sv39.range(start, pages)
    }
}

pub use arch::*;
pub(crate) use arch::{ADDRESS, KERNEL, USER, address};
