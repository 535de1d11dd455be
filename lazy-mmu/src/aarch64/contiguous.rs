//! Groups of leaves with the contiguous bit: they change together.
//!
//! A TLB may hold one entry for the whole group, so the architecture forbids a group of which only
//! a part is valid, or whose leaves differ in what they permit (Arm ARM DDI 0487, "The Contiguous
//! bit"). The other operations of this crate therefore refuse, by a panic before anything is
//! changed, to change a part of a group; those that take a range change whole groups in it. What
//! they refuse is a *valid* old entry with the bit. Two duties stay the caller's: the plain stores
//! do not look at the old entry; and no operation looks at the neighbours of a new one, so a group
//! is made valid as a whole, by `write_range` or `set_memory_valid`.
//!
//! Separate from [`update`](super::update), whose operations on one entry refuse a member of a
//! group, and whose operations on a group are this type's.
//!
//! Within a group the hardware notes what it notes (accessed, dirty) in any one of the entries. So
//! the operations return the first entry with what all of them have noted.

use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering};

use super::descriptor::{CONTIGUOUS, Leaf, TABLE_OR_PAGE, VALID};
use super::granule::{Granule, PAGE_LEVEL};
use crate::protocol::range::VirtualRange;
use crate::section::slot::Slots;

/// The entries of one whole contiguous group, all valid and with the contiguous bit.
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::aarch64::contiguous::ContiguousGroup;
/// use lazy_mmu::aarch64::Granule;
/// use lazy_mmu::aarch64::descriptor::{CONTIGUOUS, KERNEL_DATA, Leaf, READ_ONLY};
/// use lazy_mmu::sim::Sim;
///
/// // 64 KiB of 4 KiB pages, which a TLB may hold in one entry.
/// let table = [const { AtomicU64::new(0) }; 16];
/// lazy_mmu::with::<Sim, _>(|mmu| {
///     mmu.write_range(&table, |i| {
///         Leaf::page(0x4000_0000 + 4096 * i as u64, KERNEL_DATA | CONTIGUOUS)
///     });
/// });
/// let group = ContiguousGroup::new(Granule::Kib4, 3, &table)?;
/// let old = group.set_wrprotect::<Sim>(0);
/// assert_eq!(old & READ_ONLY, 0);
/// # Ok::<(), lazy_mmu::aarch64::contiguous::NotAGroup>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ContiguousGroup<'t>(&'t [AtomicU64]);

/// Entries that are not one whole contiguous group.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotAGroup {
    /// The number of entries is not that of a group at this level; there may be no groups at it.
    Length {
        /// How many entries were given.
        entries: usize,
        /// How many a group has, if there are groups at the level.
        expected: Option<usize>,
    },
    /// An entry is invalid, or does not have the contiguous bit, or does not map what follows the
    /// entry before it.
    Entry {
        /// The number of the entry among those given.
        index: usize,
        /// Its bits.
        bits: u64,
    },
}

impl fmt::Display for NotAGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Length {
                entries,
                expected: Some(expected),
            } => write!(
                f,
                "{entries} entries are not a contiguous group of {expected}"
            ),
            Self::Length { expected: None, .. } => {
                f.write_str("there are no contiguous groups at this level")
            }
            Self::Entry { index, bits } => write!(
                f,
                "entry {index}, {bits:#x}, does not belong to a contiguous group with the others"
            ),
        }
    }
}

/// As `Display`, because descriptors are read in hexadecimal.
impl fmt::Debug for NotAGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NotAGroup({self})")
    }
}

impl core::error::Error for NotAGroup {}

impl<'t> ContiguousGroup<'t> {
    /// The group that `slots` are, at `level` of tables of `granule`.
    ///
    /// # Errors
    ///
    /// [`NotAGroup`].
    pub fn new(granule: Granule, level: u8, slots: impl Slots + 't) -> Result<Self, NotAGroup> {
        let slots = slots.atomics();
        let entries = slots.len();
        let expected = granule.contiguous_entries(level);
        let size = match granule.entry_size(level) {
            Some(size) if expected == Some(entries) => size,
            _ => return Err(NotAGroup::Length { entries, expected }),
        };
        let mut address = None;
        for (index, slot) in slots.iter().enumerate() {
            let bits = slot.load(Ordering::Relaxed);
            let here = Leaf(bits).address(granule);
            // The group's memory is aligned as a whole, so the first entry's address tells where a
            // group begins.
            let follows = address.map_or(here & (size * entries as u64 - 1) == 0, |it| it == here);
            let is_leaf = Leaf::from_bits(granule, level, bits).is_ok();
            if !is_contiguous(bits) || !is_leaf || !follows {
                return Err(NotAGroup::Entry { index, bits });
            }
            address = Some(here + size);
        }
        Ok(Self(slots))
    }

    /// The entries.
    pub fn slots(self) -> &'t [AtomicU64] {
        self.0
    }
}

/// Whether a leaf with these bits is in a contiguous group.
const fn is_contiguous(bits: u64) -> bool {
    bits & (VALID | CONTIGUOUS) == VALID | CONTIGUOUS
}

/// Refuses to change the entry `old` alone.
///
/// # Panics
///
/// If it is a leaf of a contiguous group.
#[inline]
pub(crate) fn refuse_member(old: u64) {
    if is_contiguous(old) {
        refuse(old);
    }
}

/// Refuses to change the entries `slots`, which are at `level` and translate `range`, if they cut a
/// group. An entry is in a group if it has all bits of `member`.
///
/// # Panics
///
/// If the first of them or the last is in a group that the range cuts.
#[inline]
pub(crate) fn refuse_cut(slots: &[AtomicU64], range: VirtualRange, level: u8, member: u64) {
    let granule = Granule::of(range);
    let (Some(entries), Some(size), [first, ..], [.., last]) = (
        granule.contiguous_entries(level),
        granule.entry_size(level),
        slots,
        slots,
    ) else {
        return;
    };
    let group = size * entries as u64;
    // The end of the address space is address 0, which is aligned too.
    let end = range
        .start()
        .wrapping_add((slots.len() as u64).wrapping_mul(size));
    for (slot, cut) in [(first, range.start()), (last, end)] {
        let bits = slot.load(Ordering::Relaxed);
        let is_table =
            level != PAGE_LEVEL && bits & (VALID | TABLE_OR_PAGE) == VALID | TABLE_OR_PAGE;
        if cut & (group - 1) != 0 && bits & member == member && !is_table {
            refuse(bits);
        }
    }
}

#[cold]
#[inline(never)]
#[track_caller]
fn refuse(bits: u64) -> ! {
    panic!(
        "the entry {bits:#x} is in a contiguous group, which changes as a whole: see `lazy_mmu::aarch64::contiguous`"
    )
}
