//! Groups of leaves with the Contiguous bit, which change as a whole.
//!
//! A TLB may hold one entry for a whole group. The architecture therefore demands that the leaves
//! of a group are all valid or all invalid, and have the same permissions (Arm ARM DDI 0487, "The
//! Contiguous bit").
//!
//! The other operations of this crate refuse to change a part of a group: they panic before they
//! change an entry. Operations on a range change a group if the range contains the whole group.
//! Only a *valid* old entry with the bit counts as a member. Two duties remain with the caller:
//!
//! * Plain stores do not read the old entry.
//! * Operations do not look at the neighbours of a new entry. Make a group valid as a whole, with
//!   [`write_range`](crate::write_range) or [`set_memory_valid`](crate::LazyMmu::set_memory_valid).
//!
//! The hardware may set the access flag and the dirty state in any one entry of a group. The
//! operations on a [`ContiguousGroup`] therefore return the first entry, with the flags of all
//! entries.
//!
//! The module is separate from [`update`](super::update), whose operations on one entry refuse a
//! member of a group.

use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering};

use super::descriptor::{CONTIGUOUS, Leaf, TABLE_OR_PAGE, VALID};
use super::granule::{Granule, PAGE_LEVEL};
use crate::protocol::range::VirtualRange;
use crate::section::slot::Slots;

/// The entries of one whole contiguous group. All are valid and have the Contiguous bit.
///
/// The type has the operations of [`update`](super::update) for a group.
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use lazy_mmu::aarch64::contiguous::ContiguousGroup;
/// use lazy_mmu::aarch64::Granule;
/// use lazy_mmu::aarch64::descriptor::{CONTIGUOUS, KERNEL_DATA, Leaf, READ_ONLY};
/// # type Mmu = lazy_mmu::sim::Sim;
///
/// // 16 pages of 4 KiB, which a TLB may hold in one entry.
/// let table = [const { AtomicU64::new(0) }; 16];
/// lazy_mmu::with::<Mmu, _>(|mmu| {
///     mmu.write_range(&table, |i| {
///         Leaf::page(0x4000_0000 + 4096 * i as u64, KERNEL_DATA | CONTIGUOUS)
///     });
/// });
/// let group = ContiguousGroup::new(Granule::Kib4, 3, &table)?;
/// let old = group.set_wrprotect::<Mmu>(0);
/// assert_eq!(old & READ_ONLY, 0);
/// # Ok::<(), lazy_mmu::aarch64::contiguous::NotAGroup>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ContiguousGroup<'t>(&'t [AtomicU64]);

/// Why entries are not one whole contiguous group.
///
/// ```
/// use core::sync::atomic::{AtomicU64, Ordering};
/// use lazy_mmu::aarch64::Granule;
/// use lazy_mmu::aarch64::contiguous::{ContiguousGroup, NotAGroup};
/// use lazy_mmu::aarch64::descriptor::{CONTIGUOUS, KERNEL_DATA, Leaf};
///
/// let table: [AtomicU64; 16] = core::array::from_fn(|i| {
///     AtomicU64::new(Leaf::page(0x4000_0000 + 4096 * i as u64, KERNEL_DATA | CONTIGUOUS).0)
/// });
/// let error = ContiguousGroup::new(Granule::Kib4, 3, &table[..8]).unwrap_err();
/// assert_eq!(error, NotAGroup::Length { entries: 8, expected: Some(16) });
///
/// table[5].store(Leaf::INVALID.0, Ordering::Relaxed);
/// let error = ContiguousGroup::new(Granule::Kib4, 3, &table).unwrap_err();
/// assert_eq!(error, NotAGroup::Entry { index: 5, bits: 0 });
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotAGroup {
    /// The number of entries is not that of a group at this level, or the level does not have
    /// groups.
    Length {
        /// The number of entries that were given.
        entries: usize,
        /// The number of entries in a group, or `None` if the level does not have groups.
        expected: Option<usize>,
    },
    /// An entry is invalid, does not have the Contiguous bit, or does not map the memory behind the
    /// entry before it.
    Entry {
        /// The index of the entry in the entries that were given.
        index: usize,
        /// The bits of the entry.
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

/// Prints the text of `Display`, because descriptors are read in hexadecimal.
impl fmt::Debug for NotAGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NotAGroup({self})")
    }
}

impl core::error::Error for NotAGroup {}

impl<'t> ContiguousGroup<'t> {
    /// Makes a group of `slots`, which are at `level` of tables of `granule`.
    ///
    /// # Errors
    ///
    /// [`NotAGroup`] if the number of entries is wrong, or an entry does not belong to the group.
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
            // The memory of a group is aligned to its size. The address of the first entry
            // therefore shows whether a group begins there.
            let follows = address.map_or(here & (size * entries as u64 - 1) == 0, |it| it == here);
            let is_leaf = Leaf::from_bits(granule, level, bits).is_ok();
            if !is_contiguous(bits) || !is_leaf || !follows {
                return Err(NotAGroup::Entry { index, bits });
            }
            address = Some(here + size);
        }
        Ok(Self(slots))
    }

    /// Returns the entries.
    pub fn slots(self) -> &'t [AtomicU64] {
        self.0
    }
}

/// Whether a leaf with these bits belongs to a contiguous group.
const fn is_contiguous(bits: u64) -> bool {
    bits & (VALID | CONTIGUOUS) == VALID | CONTIGUOUS
}

/// Refuses to change the entry `old` alone.
///
/// # Panics
///
/// If `old` is a leaf of a contiguous group.
#[inline]
pub(crate) fn refuse_member(old: u64) {
    if is_contiguous(old) {
        refuse(old);
    }
}

/// Refuses to change the entries `slots`, which are at `level` and translate `range`, if the range
/// cuts a group. An entry belongs to a group if it has all bits of `member`.
///
/// # Panics
///
/// If the first or the last entry belongs to a group that the range cuts.
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
        "the entry {bits:#x} is in a contiguous group: change the whole group (see \
         `lazy_mmu::aarch64::contiguous`)"
    )
}
