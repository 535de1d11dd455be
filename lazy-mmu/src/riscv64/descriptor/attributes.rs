//! The bits of a descriptor by name, and sets of bits that make a working mapping.
//!
//! The file is separate from the rules, because the bits are the architecture's encoding and not
//! decisions of this crate (RISC-V privileged specification, "Sv39: Page-Based 39-bit
//! Virtual-Memory System", and the chapters about Svpbmt and Svnapot).

/// V, bit 0: the entry is valid.
pub const VALID: u64 = 1 << 0;
/// R, bit 1: the page is readable.
pub const READ: u64 = 1 << 1;
/// W, bit 2: the page is writable. Without [`READ`] the encoding is reserved.
pub const WRITE: u64 = 1 << 2;
/// X, bit 3: the page is executable. A valid entry whose R, W and X are clear points to a table.
pub const EXECUTE: u64 = 1 << 3;
/// U, bit 4: user mode may access the page. Supervisor mode may not execute it, and may read and
/// write it only while sstatus.SUM is set.
pub const USER: u64 = 1 << 4;
/// G, bit 5: the mapping is global, which means that all address spaces have it. A fence with an
/// ASID does not remove it.
pub const GLOBAL: u64 = 1 << 5;
/// A, bit 6: the page has been accessed since the bit was cleared. The bit is reserved in an entry
/// that points to a table.
pub const ACCESSED: u64 = 1 << 6;
/// D, bit 7: the page has been written since the bit was cleared. The bit is reserved in an entry
/// that points to a table.
pub const DIRTY: u64 = 1 << 7;
/// RSW, bits 9:8: the hardware ignores them, and the kernel may use them.
pub const SOFTWARE: u64 = 0b11 << 8;
/// PBMT = 1, bits 62:61 of a leaf, with Svpbmt: memory that is idempotent, weakly ordered and
/// not cacheable.
pub const NON_CACHEABLE: u64 = 0b01 << 61;
/// PBMT = 2, bits 62:61 of a leaf, with Svpbmt: I/O memory, which is strongly ordered, not
/// idempotent and not cacheable.
pub const IO: u64 = 0b10 << 61;

/// A kernel's data: supervisor mode may read and write.
pub const KERNEL_DATA: u64 = READ | WRITE | GLOBAL | ACCESSED | DIRTY;
/// A kernel's constants: supervisor mode may read.
pub const KERNEL_READ_ONLY: u64 = READ | GLOBAL | ACCESSED;
/// A kernel's code: supervisor mode may read and execute. New code also needs `fence.i` on each
/// hart.
pub const KERNEL_TEXT: u64 = READ | EXECUTE | GLOBAL | ACCESSED;
/// A user's data: user mode may read and write.
pub const USER_DATA: u64 = READ | WRITE | USER | ACCESSED | DIRTY;
/// A user's constants: user mode may read.
pub const USER_READ_ONLY: u64 = READ | USER | ACCESSED;
/// A user's code: user mode may read and execute.
pub const USER_TEXT: u64 = READ | EXECUTE | USER | ACCESSED;
