//! A driver that maps its device's registers: a library that knows neither the kernel nor its lazy MMU backend.
//!
//! The attribute without `backend = ..`, and [`Global`](lazy_mmu::Global) everywhere else, are the backend that the final
//! binary registers. The kernel lends the driver the page-table entries of an area (Linux: `vmap` area); what the driver
//! gives back is a mapping that is visible, because the only way to its address leads through a flush.

#![no_std]

use core::fmt;
use core::sync::atomic::AtomicU64;

use lazy_mmu::aarch64::descriptor::{BadDescriptor, KERNEL_DATA, Leaf, memory_type};
use lazy_mmu::aarch64::{Granule, PAGE_LEVEL};
use lazy_mmu::{BadRange, VirtualRange};
use lazy_mmu::{LazyMmu, Nesting, Pending, lazy_mmu};

/// A device's registers, if the kernel has Device memory in the byte 0 of MAIR_EL1.
const DEVICE: u64 = KERNEL_DATA | memory_type(0);

/// Entries of the kernel's page table that the driver may use, all invalid, and the addresses that they translate.
pub struct Area<'k> {
    slots: &'k [AtomicU64],
    range: VirtualRange,
}

impl<'k> Area<'k> {
    /// The area at `start`, one page of 4 KiB for each entry.
    ///
    /// # Errors
    ///
    /// [`BadRange`], if `start` is not a page's address, or the area runs over the end of the address space.
    pub fn new(start: u64, slots: &'k [AtomicU64]) -> Result<Self, BadRange> {
        let range = Granule::Kib4.range(start, slots.len() as u64)?;
        Ok(Self { slots, range })
    }
}

/// A device's registers, mapped.
#[derive(Debug)]
pub struct Registers {
    range: VirtualRange,
}

impl Registers {
    /// The virtual address of the first register, in bytes.
    pub fn address(&self) -> u64 {
        self.range.start()
    }
}

/// Why a device could not be mapped. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Error {
    /// The physical address is none of a page.
    Descriptor(BadDescriptor),
    /// The area has fewer pages than the device.
    TooSmall {
        /// The device's pages.
        pages: usize,
        /// The area's.
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

/// Maps the registers of a device, `pages` pages from the physical address `physical` on (Linux: `ioremap`).
///
/// # Errors
///
/// [`Error`].
pub fn ioremap(area: &Area<'_>, physical: u64, pages: usize) -> Result<Registers, Error> {
    lazy_mmu::try_visible::<lazy_mmu::Global, _, _>(|mmu| ioremap_in(mmu, area, physical, pages))
}

/// [`ioremap`] in the caller's section: the registers are to be had after its flush or leave.
///
/// # Errors
///
/// [`Error`].
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
    // It is a part of the area.
    let range = range.unwrap_or(area.range);
    let size = Granule::Kib4.page_size();
    let last = physical.saturating_add(range.pages().saturating_sub(1) * size);
    // Before anything is stored.
    for page in [physical, last] {
        Leaf::new(Granule::Kib4, PAGE_LEVEL, page, DEVICE)?;
    }
    mmu.write_range(slots, |i| Leaf::page(physical + size * i as u64, DEVICE));
    Ok(mmu.pending(Registers { range }))
}

/// Takes the mapping of a device in this area away again (Linux: `iounmap`).
///
/// # Panics
///
/// If `registers` are not in `area`.
#[lazy_mmu(mmu)]
#[expect(
    clippy::needless_pass_by_value,
    reason = "the registers are gone afterwards"
)]
pub fn iounmap(area: &Area<'_>, registers: Registers) {
    let Registers { range } = registers;
    assert_eq!(
        range.start(),
        area.range.start(),
        "another area's registers"
    );
    let pages = usize::try_from(range.pages()).unwrap_or(usize::MAX);
    let slots = &area.slots[..pages];
    let unmapped = mmu.unmap_range(slots, range);
    unmapped.invalidate(mmu);
}
