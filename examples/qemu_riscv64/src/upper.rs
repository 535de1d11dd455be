//! The register satp, and the identity map of the lower half.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use lazy_mmu::riscv64::descriptor::{EXECUTE, KERNEL_DATA, Leaf};
use lazy_mmu::riscv64::{Mode, local_fence, table_barrier};
use riscv::register::satp;
use spin::Once;

/// The mode of the tables. Without tables, the harts use physical addresses.
static MODE: Once<Mode> = Once::new();

/// Sets the mode, once.
pub fn init(mode: Mode) {
    MODE.call_once(|| mode);
}

/// Returns the mode.
pub fn mode() -> Mode {
    *MODE.get().expect("`init` has set it")
}

/// Adds the identity map of the image and the devices to a root table, in leaves of the root's
/// level. With Sv39 a leaf has 1 GiB, and with Sv48 512 GiB.
pub fn fill(root: &[AtomicU64; 512]) {
    let (mode, level) = (mode(), mode().root_level());
    let leaf = |number: u64, size: u64| {
        Leaf::new(mode, level, number * size, KERNEL_DATA | EXECUTE).expect("it is aligned")
    };
    let size = 1 << (12 + 9 * u64::from(level));
    // The RAM ends at 3 GiB.
    for (number, entry) in (0..).zip(&root[..3]) {
        entry.store(leaf(number, size).0, Relaxed);
    }
}

/// Lets the MMU of this hart walk the tables at the physical address `root`.
pub fn activate(root: u64) {
    let mode = match mode() {
        Mode::Sv39 => satp::Mode::Sv39,
        Mode::Sv48 => satp::Mode::Sv48,
        Mode::Sv57 => satp::Mode::Sv57,
    };
    let page = usize::try_from(root >> 12).expect("64 bits");
    // The stores to the tables precede the register that points to them.
    table_barrier();
    // SAFETY: the tables have the identity map, in which the image runs.
    unsafe { satp::set(mode, 0, page) };
    local_fence();
    // A hart without the mode ignores the write.
    assert_eq!(satp::read().mode(), mode, "the hart has the mode");
}

/// Lets this hart use physical addresses, as the firmware has started it, so that each address of
/// the upper half faults. The argument makes the function a request for
/// [`on_others`](crate::smp::on_others).
pub fn deactivate(_: u64) {
    // SAFETY: the image runs at its physical addresses.
    unsafe { satp::set(satp::Mode::Bare, 0, 0) };
    local_fence();
}
