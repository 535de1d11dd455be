//! The barriers that a store to a translation table needs, on the hart that executes them.

/// Executes one instruction, with or without operands. The instructions of an `extension` need it
/// to be enabled, because an assembler does not know them otherwise.
macro_rules! instruction {
    (extension $extension:literal, $instruction:literal $(, $operand:expr)*) => {
        instruction!(@
            [".option push", concat!(".option arch, +", $extension), $instruction, ".option pop"]
            $instruction $(, $operand)*
        )
    };
    (@ [$($line:expr),*] $instruction:literal $(, $operand:expr)*) => {{
        #[cfg(target_arch = "riscv64")]
        // SAFETY: the instruction does not change memory. The compiler does not move accesses over
        // it, because the options do not contain `nomem`.
        unsafe {
            core::arch::asm!($($line,)* $(in(reg) $operand,)* options(nostack, preserves_flags));
        }
        #[cfg(not(target_arch = "riscv64"))]
        super::barriers::elsewhere($instruction, &[$($operand),*]);
    }};
    ($instruction:literal $(, $operand:expr)*) => {
        instruction!(@ [$instruction] $instruction $(, $operand)*)
    };
}
pub(super) use instruction;

/// Panics, because the instruction does not exist on this architecture. The unit tests record it.
#[cfg(not(target_arch = "riscv64"))]
#[track_caller]
pub(super) fn elsewhere(instruction: &str, operands: &[u64]) {
    #[cfg(test)]
    if recorder::push(instruction, operands) {
        return;
    }
    let _ = operands;
    panic!("`{instruction}` is a RISC-V instruction: tests on the host use `sim::Sim`");
}

/// The instructions that a unit test on another architecture would execute.
#[cfg(all(test, not(target_arch = "riscv64")))]
pub(super) mod recorder {
    extern crate std;
    use std::cell::RefCell;
    use std::string::String;
    use std::vec::Vec;
    use std::{format, thread_local};

    thread_local! {
        static RECORD: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
    }

    /// Returns the instructions that `f` executes on this thread, with values in the places of
    /// registers.
    pub(in crate::riscv64) fn record(f: impl FnOnce()) -> Vec<String> {
        RECORD.replace(Some(Vec::new()));
        f();
        RECORD.take().unwrap()
    }

    /// Records an instruction, and returns whether a test records.
    pub(super) fn push(instruction: &str, operands: &[u64]) -> bool {
        RECORD.with_borrow_mut(|record| {
            let Some(record) = record else { return false };
            let fill = |text: String, it: &u64| text.replacen("{}", &format!("{it:#x}"), 1);
            record.push(operands.iter().fold(instruction.into(), fill));
            true
        })
    }
}

/// Executes `sfence.vma x0, x0`: the local half of the barrier.
///
/// The fence orders this hart's earlier stores to the tables before the table walks of its later
/// instructions, for every address and address space. It also removes what this hart has cached of
/// the tables. That may be an entry that was invalid when it was cached (RISC-V privileged
/// specification, "Supervisor Memory-Management Fence Instruction").
///
/// The fence is for this hart only. Other harts need their own ([`Harts`](super::Harts)).
///
/// The second operand is the register x0. An operand in any other register limits the fence to one
/// address space, even if the register holds 0. Global entries, such as those of kernel mappings,
/// then survive the fence. Several kernels, and helper functions that take an address and an ASID,
/// have this mistake.
///
/// ```
/// use core::sync::atomic::{AtomicU64, Ordering};
/// use lazy_mmu::riscv64::descriptor::{KERNEL_DATA, Leaf};
/// use lazy_mmu::riscv64::local_fence;
///
/// /// Maps the UART at boot, before the task pointer is set and before other harts run.
/// fn map_uart(slot: &AtomicU64) {
///     slot.store(Leaf::page(0x1000_0000, KERNEL_DATA).0, Ordering::Relaxed);
///     local_fence(); // This hart may access the UART after the fence.
/// }
/// ```
///
/// # Panics
///
/// On an architecture other than RISC-V. Tests on the host use [`sim::Sim`](crate#features)
/// instead.
#[inline(always)]
#[expect(clippy::inline_always, reason = "one instruction")]
#[cfg_attr(not(target_arch = "riscv64"), track_caller)]
pub fn local_fence() {
    instruction!("sfence.vma x0, x0");
}

/// Executes `fence w, w`: a walker that sees a later store of this hart sees the earlier ones.
///
/// A store that links a table needs it, because a walker that finds the table must find it filled.
/// Linux has the same barrier there (`smp_wmb` in `pmd_install`). A walk reads the table only after
/// it has read the entry that links the table.
///
/// ```
/// use core::sync::atomic::{AtomicU64, Ordering};
/// use lazy_mmu::riscv64::descriptor::{KERNEL_DATA, Leaf, Table};
/// use lazy_mmu::riscv64::{local_fence, table_barrier};
///
/// /// Maps a page through a new table at boot, before the task pointer is set.
/// fn map_page(parent: &AtomicU64, table: Table, entries: &[AtomicU64]) {
///     entries[0].store(Leaf::page(0x8000_0000, KERNEL_DATA).0, Ordering::Relaxed);
///     table_barrier(); // A walker that finds the table finds the page too.
///     parent.store(table.0, Ordering::Relaxed);
///     local_fence();
/// }
/// ```
///
/// # Panics
///
/// As [`local_fence`].
#[inline(always)]
#[expect(clippy::inline_always, reason = "one instruction")]
#[cfg_attr(not(target_arch = "riscv64"), track_caller)]
pub fn table_barrier() {
    instruction!("fence w, w");
}

#[cfg(all(test, not(target_arch = "riscv64")))]
mod tests {
    #[test]
    #[should_panic(expected = "tests on the host use `sim::Sim`")]
    fn the_fence_says_what_to_use_on_a_host() {
        super::local_fence();
    }

    #[test]
    #[should_panic(expected = "tests on the host use `sim::Sim`")]
    fn so_does_the_table_barrier() {
        super::table_barrier();
    }
}
