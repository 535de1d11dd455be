//! The scenario: it maps, populates, removes and frees pages, and its sections nest.
//!
//! A [`Recorder`] records each operation. The scenario uses every mapping that it makes.

pub use crate::format::MEMORY_BASE;
use crate::machine::Machine;
use crate::mm::{MemoryManager, boot_tables};
use crate::page::{ENTRIES, Error, Frame, PAGE_SIZE, PageRange, USER_BASE, VMALLOC_BASE};

/// An observer of the beginning and the end of each operation.
pub trait Recorder {
    /// Called when `operation` begins.
    fn start(&mut self, operation: &'static str);
    /// Called when `operation` has ended.
    fn stop(&mut self, operation: &'static str);
}

/// The three ways in which the scenario runs: without, with tolerant, and with nesting sections.
pub const WAYS: [&str; 3] = ["per-store", "tolerant", "nested"];

/// The operations, in order.
pub const OPERATIONS: [&str; 7] = [
    "build_tables",
    "allocate",
    "vmap_pages_range",
    "populate_range",
    "populate_user_range",
    "zap_range",
    "free",
];

/// The largest number of pages for [`run`].
pub const MAX_PAGES: usize = 16 * 1024;

/// Returns the number of frames that the scenario needs for `pages` pages, and some more.
pub const fn memory_frames(pages: usize) -> usize {
    // Three ranges of pages and their tables, and the tables of the linear map.
    let used = 3 * pages + 3 * (pages / ENTRIES + 4) + 64;
    used + boot_tables(used + 256)
}

/// Runs the scenario on `frames.len()` pages, with `frames` as scratch memory.
///
/// # Errors
///
/// The errors of the memory manager.
///
/// # Panics
///
/// Panics if two mappings of one frame read different values, or if frames are lost.
pub fn run<M: Machine>(
    mm: &mut MemoryManager<'_, M>,
    frames: &mut [Frame],
    recorder: &mut impl Recorder,
) -> Result<(), Error> {
    let pages = frames.len();
    let vmapped = PageRange::new(VMALLOC_BASE, pages)?;
    // One unmapped page separates the two ranges.
    let populated = PageRange::new(vmapped.page(pages + 1), pages)?;
    let user = PageRange::new(USER_BASE, pages)?;

    record(recorder, OPERATIONS[0], || {
        mm.build_tables(vmapped)?;
        mm.build_tables(populated)?;
        mm.build_tables(user)
    })?;
    let free = mm.frames().free();
    record(recorder, OPERATIONS[1], || {
        for frame in frames.iter_mut() {
            *frame = mm.allocate(1)?;
        }
        Ok(())
    })?;
    let mapping = record(recorder, OPERATIONS[2], || mm.vmap(vmapped, frames))?;
    use_mappings(mm, vmapped)?;
    // A `Mapping` is always visible.
    mapping.write(mm.machine(), 0, 1)?;
    record(recorder, OPERATIONS[3], || mm.populate_range(populated))?;
    use_mappings(mm, populated)?;
    record(recorder, OPERATIONS[4], || mm.populate_user_range(user))?;
    use_mappings(mm, user)?;
    record(recorder, OPERATIONS[5], || mm.zap_range(user))?;
    record(recorder, OPERATIONS[6], || {
        mm.vunmap_range(vmapped)?;
        for &frame in frames.iter() {
            mm.release(frame)?;
        }
        mm.zap_range(populated)
    })?;
    assert_eq!(mm.frames().free(), free, "frames were lost");
    Ok(())
}

fn record<T>(
    recorder: &mut impl Recorder,
    operation: &'static str,
    run: impl FnOnce() -> Result<T, Error>,
) -> Result<T, Error> {
    recorder.start(operation);
    let result = run();
    recorder.stop(operation);
    result
}

/// Writes to each page of `range`, and reads the value through the linear map.
fn use_mappings<M: Machine>(mm: &MemoryManager<'_, M>, range: PageRange) -> Result<(), Error> {
    let machine = mm.machine();
    for address in range.addresses() {
        let frame = mm.mapped(address).ok_or(Error::NotMapped { address })?;
        // The last word of the page shows an entry with the wrong page size.
        let offset = PAGE_SIZE - 8;
        machine.write(address + offset, !address)?;
        assert_eq!(
            machine.read(frame.linear() + offset)?,
            !address,
            "written through {address:#x}, read through the linear map"
        );
    }
    Ok(())
}
