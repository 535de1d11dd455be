//! The difference between the hosted machine and a CPU.

use core::sync::atomic::AtomicU64;

use lazy_mmu::Backend;
use thiserror::Error;

#[cfg(doc)]
use crate::page::LEAF_LEVEL;
use crate::page::{ENTRIES, Frame};

/// A translation table of 512 entries. The hardware walks it while the CPU changes it.
pub type Table = [AtomicU64; ENTRIES];

/// A machine with physical memory and an MMU that walks the tables.
///
/// The hosted machine does not have a TLB. Only the trace shows that an invalidation comes in the
/// right place.
pub trait Machine: Copy {
    /// The backend: the bits of the threads, and the barriers.
    type Backend: Backend;

    /// Returns the level of the root table, from which a walk goes down to [`LEAF_LEVEL`].
    ///
    /// It is 0 for addresses of 48 bits, and 1 for the shorter addresses of RISC-V's Sv39.
    fn root_level(&self) -> usize {
        0
    }

    /// Returns the table in `frame`.
    ///
    /// After [`activate`](Self::activate), the machine accesses the table through the linear map.
    /// Before that, it has its own way.
    fn table(&self, frame: Frame) -> &Table;

    /// Lets the MMU walk the tables whose top level is in `root`. They contain the linear map.
    ///
    /// The function orders all earlier stores before the first walk.
    fn activate(&self, root: Frame);

    /// Reads the 64-bit word at the virtual address `address`, which is a multiple of 8.
    ///
    /// # Errors
    ///
    /// The fault of the access.
    fn read(&self, address: u64) -> Result<u64, Fault>;

    /// Writes `value` to the 64-bit word at the virtual address `address`, a multiple of 8.
    ///
    /// # Errors
    ///
    /// The fault of the access, which has not written anything.
    fn write(&self, address: u64, value: u64) -> Result<(), Fault>;

    /// Fills the frame with zeros, through the linear map if it is active.
    ///
    /// # Errors
    ///
    /// The fault of the access.
    fn zero(&self, frame: Frame) -> Result<(), Fault>;
}

/// A memory access that the MMU refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("fault at {address:#x}: {reason}")]
pub struct Fault {
    /// The virtual address of the access (on a CPU: FAR_EL1, or stval).
    pub address: u64,
    /// The reason.
    pub reason: FaultReason,
}

/// The reason for a fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum FaultReason {
    /// There is not a valid entry (on a CPU: a translation fault).
    #[error("not mapped")]
    NotMapped,
    /// The entry is valid, but its barrier pair has not been executed yet.
    ///
    /// A CPU may fault. The hosted machine always does.
    #[error("mapped, but not yet visible: its barrier pair has not been executed")]
    NotYetVisible,
    /// The access flag of the valid entry is clear.
    ///
    /// This occurs on a CPU without hardware management of the flag.
    #[error("mapped, but the access flag is clear")]
    NotAccessed,
    /// The valid entry does not permit the access (on a CPU: a permission fault).
    #[error("not permitted")]
    NotPermitted,
    /// Another fault of the CPU.
    #[error("not a fault of the tables")]
    Other,
}
