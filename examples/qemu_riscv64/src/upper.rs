//! The register satp, and the identity map of the lower half.

use core::sync::atomic::Ordering::Relaxed;

use lazy_mmu::riscv64::descriptor::{EXECUTE, KERNEL_DATA, Leaf};
use lazy_mmu::riscv64::{Mode, local_fence, table_barrier};
use lazy_mmu_examples::frames::MemoryMap;
use lazy_mmu_examples::machine::Table;
use lazy_mmu_examples::page::LEAF_LEVEL;
use riscv::register::satp;
use spin::Once;

use crate::smp;

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

/// Returns the level of a memory manager's root table.
pub(crate) fn root_level() -> usize {
    LEAF_LEVEL - usize::from(mode().root_level())
}

/// Lets all harts walk the tables of a memory manager, whose root table is at `root`.
pub(crate) fn enter(root: u64, table: &Table) {
    fill(table);
    activate(root);
    smp::on_others(activate, root);
}

/// Lets all harts leave the tables of a memory manager.
pub(crate) fn leave(_: MemoryMap<'_>) {
    deactivate(0);
    smp::on_others(deactivate, 0);
}

/// Adds the identity map of the image and the devices to a root table, in leaves of the root's
/// level. With Sv39 a leaf has 1 GiB, and with Sv48 512 GiB.
fn fill(root: &Table) {
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
fn activate(root: u64) {
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
/// [`on_others`](smp::on_others).
fn deactivate(_: u64) {
    // SAFETY: the image runs at its physical addresses.
    unsafe { satp::set(satp::Mode::Bare, 0, 0) };
    local_fence();
}
