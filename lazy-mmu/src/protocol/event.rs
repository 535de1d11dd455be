//! The events that a machine can observe, in addition to its own barriers.

use core::fmt;
use core::sync::atomic::AtomicU64;

use super::token::Kind;

/// An event that the crate reports to [`Machine::observe`](crate::Machine::observe).
///
/// A wrapper of a backend can trace the events:
///
/// ```
/// use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
/// use lazy_mmu::aarch64::descriptor::{KERNEL_DATA, Leaf};
/// use lazy_mmu::raw::Kind;
/// use lazy_mmu::{Event, Wrapped, Wrapper};
/// # type Mmu = lazy_mmu::sim::Sim;
///
/// static NESTED: AtomicUsize = AtomicUsize::new(0);
///
/// /// Counts the nested sections.
/// struct Counting;
///
/// // SAFETY: `observe` only counts, and the other methods are those of `Mmu`.
/// unsafe impl Wrapper for Counting {
///     type Inner = Mmu;
///
///     fn observe(event: Event) {
///         if event == Event::Enter(Kind::Nested) {
///             NESTED.fetch_add(1, Ordering::Relaxed);
///         }
///     }
/// }
///
/// let slot = AtomicU64::new(0);
/// lazy_mmu::with::<Wrapped<Counting>, _>(|mmu| {
///     mmu.nest().write(&slot, Leaf::page(0x4000_0000, KERNEL_DATA));
/// });
/// assert_eq!(NESTED.load(Ordering::Relaxed), 1);
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The crate stored a descriptor.
    Store {
        /// The 64-bit entry that was written.
        slot: *const AtomicU64,
        /// The bits of the descriptor.
        value: u64,
    },
    /// The thread entered a section.
    Enter(Kind),
    /// The thread left a section. If a pair was pending, it has executed.
    Leave(Kind),
    /// The thread paused the mode. If a pair was pending, it has executed.
    Pause(Kind),
    /// A pause ended. The crate does not report the end of a pause that changed nothing, because it
    /// was nested in another one or began in interrupt context.
    Resume(Kind),
    /// The crate is about to make a [task handle](crate::Task). The address is that of the thread's
    /// bits, or null if the storage does not report one.
    HandleMade(*const ()),
    /// A task handle was dropped. The address is as in [`HandleMade`](Self::HandleMade).
    HandleDropped(*const ()),
}

/// Formats descriptors in hexadecimal.
impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store { slot, value } => {
                write!(f, "Store {{ slot: {slot:?}, value: {value:#x} }}")
            }
            Self::Enter(kind) => write!(f, "Enter({kind:?})"),
            Self::Leave(kind) => write!(f, "Leave({kind:?})"),
            Self::Pause(kind) => write!(f, "Pause({kind:?})"),
            Self::Resume(kind) => write!(f, "Resume({kind:?})"),
            Self::HandleMade(bits) => write!(f, "HandleMade({bits:?})"),
            Self::HandleDropped(bits) => write!(f, "HandleDropped({bits:?})"),
        }
    }
}
