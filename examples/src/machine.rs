//! What differs between the hosted machine and an aarch64 CPU.

use core::sync::atomic::AtomicU64;

use lazy_mmu::Backend;
use thiserror::Error;

use crate::page::{ENTRIES, Frame};

/// A translation table: 512 entries that the hardware walks while the CPU changes them.
pub type Table = [AtomicU64; ENTRIES];

/// A machine with physical memory and an MMU that walks the tables.
///
/// The hosted one has no TLB: that invalidations are where they must be is shown by their order in the trace only.
pub trait Machine: Copy {
    /// What keeps the bits of its threads, and its barrier.
    type Backend: Backend;

    /// The table that `frame` holds.
    ///
    /// Before [`activate`](Self::activate) the machine reaches it by some means of its own, afterwards through the
    /// linear map.
    fn table(&self, frame: Frame) -> &Table;

    /// Lets the MMU walk the tables whose top level is in `root`, which contain the linear map.
    /// Orders all earlier stores before the first walk.
    fn activate(&self, root: Frame);

    /// Reads the 64-bit word at the virtual address `address`, a multiple of 8, as the MMU translates it.
    ///
    /// # Errors
    ///
    /// The fault that the access took.
    fn read(&self, address: u64) -> Result<u64, Fault>;

    /// Writes `value` to the 64-bit word at the virtual address `address`, a multiple of 8.
    ///
    /// # Errors
    ///
    /// The fault that the access took; nothing was written.
    fn write(&self, address: u64, value: u64) -> Result<(), Fault>;

    /// Fills the frame with zeros, through the linear map once that is active.
    ///
    /// # Errors
    ///
    /// The fault that the access took.
    fn zero(&self, frame: Frame) -> Result<(), Fault>;
}

/// An access to memory that the MMU refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("fault at {address:#x}: {reason}")]
pub struct Fault {
    /// The virtual address that was accessed (on a CPU: FAR_EL1).
    pub address: u64,
    /// Why.
    pub reason: FaultReason,
}

/// Why an access faulted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum FaultReason {
    /// There is no valid entry (on a CPU: a translation fault).
    #[error("not mapped")]
    NotMapped,
    /// There is one, but its barrier pair has not been executed yet. A CPU may fault or not; the hosted machine always
    /// does.
    #[error("mapped, but not yet visible: no barrier pair has been executed since")]
    NotYetVisible,
    /// There is one, whose access flag is clear (on a CPU without hardware management of the flag).
    #[error("mapped, but the access flag is clear")]
    NotAccessed,
    /// There is one, which does not permit the access (on a CPU: a permission fault).
    #[error("not permitted")]
    NotPermitted,
    /// Some other fault of the CPU.
    #[error("no fault of the tables")]
    Other,
}
