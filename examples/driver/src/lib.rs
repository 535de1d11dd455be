//! A driver in a library, which maps the registers of its device without naming a backend.
//!
//! The final binary registers the backend. The driver uses it by the attribute without
//! `backend = ..`, and by [`Global`](lazy_mmu::Global) everywhere else.
//!
//! The kernel lends the driver the page-table entries of an area (Linux: a `vmap` area). The driver
//! returns a mapping that is ready for use, because its address is locked until the barrier pair.

#![no_std]

use core::fmt;
use core::sync::atomic::AtomicU64;

use lazy_mmu::aarch64::descriptor::{BadDescriptor, KERNEL_DATA, Leaf, memory_type};
use lazy_mmu::aarch64::{Granule, PAGE_LEVEL};
use lazy_mmu::{BadRange, VirtualRange};
use lazy_mmu::{LazyMmu, Nesting, Pending, lazy_mmu};

/// Device memory, which is in byte 0 of the kernel's MAIR_EL1.
const DEVICE: u64 = KERNEL_DATA | memory_type(0);

/// Page-table entries that the kernel lends to the driver, and the addresses that they translate.
///
/// All entries are invalid.
pub struct Area<'k> {
    slots: &'k [AtomicU64],
    range: VirtualRange,
}

impl<'k> Area<'k> {
    /// Creates the area at the virtual address `start`, with one page of 4 KiB for each entry.
    ///
    /// # Errors
    ///
    /// [`BadRange`] if `start` is not page-aligned, or if the area exceeds the address space.
    pub fn new(start: u64, slots: &'k [AtomicU64]) -> Result<Self, BadRange> {
        let range = Granule::Kib4.range(start, slots.len() as u64)?;
        Ok(Self { slots, range })
    }
}

/// The mapped registers of a device.
#[derive(Debug)]
pub struct Registers {
    range: VirtualRange,
}

impl Registers {
    /// Returns the virtual address of the first register.
    pub fn address(&self) -> u64 {
        self.range.start()
    }
}

/// The reason for which a device could not be mapped. The tables are unchanged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Error {
    /// The physical address is not page-aligned, or is out of range.
    Descriptor(BadDescriptor),
    /// The area has fewer pages than the device.
    TooSmall {
        /// The number of pages of the device.
        pages: usize,
        /// The number of pages of the area.
        room: usize,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Descriptor(error) => write!(f, "{error}"),
            Self::TooSmall { pages, room } => {
                write!(f, "the device has {pages} pages, and the area {room}")
            }
        }
    }
}

impl core::error::Error for Error {}

impl From<BadDescriptor> for Error {
    fn from(error: BadDescriptor) -> Self {
        Self::Descriptor(error)
    }
}

/// Maps the registers of a device: `pages` pages at the physical address `physical`.
///
/// The name is that of the Linux function.
///
/// # Errors
///
/// [`Error`] if the area is too small, or if the physical address cannot be mapped.
pub fn ioremap(area: &Area<'_>, physical: u64, pages: usize) -> Result<Registers, Error> {
    lazy_mmu::try_visible::<lazy_mmu::Global, _, _>(|mmu| ioremap_in(mmu, area, physical, pages))
}

/// Maps the registers of a device, as [`ioremap`] does, in the caller's section.
///
/// The registers are locked until the caller flushes or leaves its section.
///
/// # Errors
///
/// The errors of [`ioremap`].
pub fn ioremap_in<'id, L: Nesting>(
    mmu: &mut LazyMmu<'id, L>,
    area: &Area<'_>,
    physical: u64,
    pages: usize,
) -> Result<Pending<'id, Registers>, Error> {
    let room = area.slots.len();
    let slots = area
        .slots
        .get(..pages)
        .ok_or(Error::TooSmall { pages, room })?;
    let range = Granule::Kib4.range(area.range.start(), pages as u64);
    // The range is a part of the area, so it is always valid.
    let range = range.unwrap_or(area.range);
    let size = Granule::Kib4.page_size();
    let last = physical.saturating_add(range.pages().saturating_sub(1) * size);
    // The check comes before the first store, because an error must leave the tables unchanged.
    for page in [physical, last] {
        Leaf::new(Granule::Kib4, PAGE_LEVEL, page, DEVICE)?;
    }
    mmu.write_range(slots, |i| Leaf::page(physical + size * i as u64, DEVICE));
    Ok(mmu.pending(Registers { range }))
}

/// Removes the mapping of a device from its area.
///
/// The name is that of the Linux function.
///
/// # Panics
///
/// Panics if `registers` are not in `area`.
#[lazy_mmu(mmu)]
#[expect(
    clippy::needless_pass_by_value,
    reason = "the registers cannot be used afterwards"
)]
pub fn iounmap(area: &Area<'_>, registers: Registers) {
    let Registers { range } = registers;
    assert_eq!(
        range.start(),
        area.range.start(),
        "the registers are in another area"
    );
    let pages = usize::try_from(range.pages()).unwrap_or(usize::MAX);
    let slots = &area.slots[..pages];
    let unmapped = mmu.unmap_range(slots, range);
    unmapped.invalidate(mmu);
}
