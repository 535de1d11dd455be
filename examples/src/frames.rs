//! Which frames of physical memory are free: a byte for each, and a scan.
//!
//! It knows nothing of tables; [`linear`](crate::linear) changes the linear map when it hands frames out.

use core::sync::atomic::{AtomicU8, Ordering};

use crate::page::{Error, Frame, PAGE_SIZE};

/// What a frame is used for. The values are those of [`MemoryMap`]'s bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Use {
    /// Nothing.
    Free = 0,
    /// A page.
    Page = 1,
    /// A translation table. Set when the frame is ready to be one: filled with zeros.
    Table = 2,
}

/// One byte for each frame of the memory from `base` on: a [`Use`].
///
/// Atomic, and shared, so that an observer (the step handler of the QEMU kernel) can ask for a frame's use at any time.
#[derive(Clone, Copy, Debug)]
pub struct MemoryMap<'m> {
    base: Frame,
    uses: &'m [AtomicU8],
}

impl<'m> MemoryMap<'m> {
    /// The map of `uses.len()` frames from `base` on. All bytes are zero: free.
    pub const fn new(base: Frame, uses: &'m [AtomicU8]) -> Self {
        Self { base, uses }
    }

    /// The first frame.
    pub const fn base(self) -> Frame {
        self.base
    }

    /// How many frames there are.
    pub const fn frames(self) -> usize {
        self.uses.len()
    }

    /// Whether `frame` is of this memory, and holds a translation table.
    pub fn is_table(self, frame: Frame) -> bool {
        self.byte(frame)
            .is_some_and(|it| it.load(Ordering::Relaxed) == Use::Table as u8)
    }

    fn number(self, frame: Frame) -> Option<usize> {
        let offset = frame.address().checked_sub(self.base.address())?;
        usize::try_from(offset / PAGE_SIZE).ok()
    }

    fn byte(self, frame: Frame) -> Option<&'m AtomicU8> {
        self.uses.get(self.number(frame)?)
    }

    fn is_free(self, number: usize) -> bool {
        self.uses[number].load(Ordering::Relaxed) == Use::Free as u8
    }
}

/// The frame allocator.
#[derive(Debug)]
pub struct Frames<'m> {
    map: MemoryMap<'m>,
    free: usize,
    /// Where the next search begins.
    next: usize,
}

impl<'m> Frames<'m> {
    /// An allocator whose frames are all free.
    pub fn new(map: MemoryMap<'m>) -> Self {
        Self {
            map,
            free: map.frames(),
            next: 0,
        }
    }

    /// The map.
    pub fn map(&self) -> MemoryMap<'m> {
        self.map
    }

    /// Lets the next search begin with the first frame, so that what is done again takes the same frames again.
    pub fn rewind(&mut self) {
        self.next = 0;
    }

    /// How many frames are free.
    pub fn free(&self) -> usize {
        self.free
    }

    /// Takes `count` frames in a row; returns the first. `None` if there are not so many in a row.
    pub fn take(&mut self, count: usize) -> Option<Frame> {
        let frames = self.map.frames();
        let first = self
            .find(self.next, frames, count)
            .or_else(|| self.find(0, frames, count))?;
        for number in first..first + count {
            self.map.uses[number].store(Use::Page as u8, Ordering::Relaxed);
        }
        self.free -= count;
        self.next = first + count;
        Some(self.map.base.add(first))
    }

    /// The first of `count` free frames in a row, between `from` and `to`.
    fn find(&self, from: usize, to: usize, count: usize) -> Option<usize> {
        let mut run = 0;
        for number in from..to {
            run = if self.map.is_free(number) { run + 1 } else { 0 };
            if run == count {
                return Some(number + 1 - count);
            }
        }
        None
    }

    /// Notes what an allocated frame is used for.
    ///
    /// # Errors
    ///
    /// [`Error::NotAllocated`].
    pub fn set_use(&mut self, frame: Frame, used: Use) -> Result<(), Error> {
        let byte = self.allocated(frame).ok_or(Error::NotAllocated { frame })?;
        byte.store(used as u8, Ordering::Relaxed);
        Ok(())
    }

    /// Whether `frame` is allocated.
    pub fn is_allocated(&self, frame: Frame) -> bool {
        self.allocated(frame).is_some()
    }

    fn allocated(&self, frame: Frame) -> Option<&'m AtomicU8> {
        let byte = self.map.byte(frame)?;
        (byte.load(Ordering::Relaxed) != Use::Free as u8).then_some(byte)
    }

    /// Gives a frame back.
    ///
    /// # Errors
    ///
    /// [`Error::NotAllocated`].
    pub fn give_back(&mut self, frame: Frame) -> Result<(), Error> {
        self.set_use(frame, Use::Free)?;
        self.free += 1;
        Ok(())
    }
}
