//! The allocator of physical frames: one byte for each frame, and a scan.
//!
//! The allocator does not change tables. [`linear`](crate::linear) maps and unmaps the frames.

use core::sync::atomic::{AtomicU8, Ordering};

use crate::page::{Error, Frame, PAGE_SIZE};

/// The use of a frame, which is also the value of its byte in [`MemoryMap`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Use {
    /// The frame is free.
    Free = 0,
    /// The frame holds a page.
    Page = 1,
    /// The frame holds a translation table, which is filled with zeros already.
    Table = 2,
}

/// One byte, a [`Use`], for each frame of the memory that starts at `base`.
///
/// The bytes are atomic and shared, because an observer reads them at any time: the single-step
/// handler of the QEMU kernel.
#[derive(Clone, Copy, Debug)]
pub struct MemoryMap<'m> {
    base: Frame,
    uses: &'m [AtomicU8],
}

impl<'m> MemoryMap<'m> {
    /// Returns the map of `uses.len()` frames that start at `base`. A byte of zero is a free frame.
    pub const fn new(base: Frame, uses: &'m [AtomicU8]) -> Self {
        Self { base, uses }
    }

    /// Returns the first frame.
    pub const fn base(self) -> Frame {
        self.base
    }

    /// Returns the number of frames.
    pub const fn frames(self) -> usize {
        self.uses.len()
    }

    /// Returns whether `frame` is in this memory and holds a translation table.
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

/// The allocator of the frames of a [`MemoryMap`].
#[derive(Debug)]
pub struct Frames<'m> {
    map: MemoryMap<'m>,
    free: usize,
    /// The number of the frame at which the next search begins.
    next: usize,
}

impl<'m> Frames<'m> {
    /// Creates an allocator whose frames are all free.
    pub fn new(map: MemoryMap<'m>) -> Self {
        Self {
            map,
            free: map.frames(),
            next: 0,
        }
    }

    /// Returns the map.
    pub fn map(&self) -> MemoryMap<'m> {
        self.map
    }

    /// Lets the next search begin at the first frame, so that a repeated operation takes the same
    /// frames again.
    pub fn rewind(&mut self) {
        self.next = 0;
    }

    /// Returns the number of free frames.
    pub fn free(&self) -> usize {
        self.free
    }

    /// Takes `count` consecutive frames, and returns the first of them.
    ///
    /// Returns `None` if there are not enough consecutive free frames.
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

    /// Returns the number of the first of `count` consecutive free frames from `from` up to `to`.
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

    /// Records the use of an allocated frame.
    ///
    /// # Errors
    ///
    /// [`Error::NotAllocated`] if the frame is free or not in this memory.
    pub fn set_use(&mut self, frame: Frame, used: Use) -> Result<(), Error> {
        let byte = self.allocated(frame).ok_or(Error::NotAllocated { frame })?;
        byte.store(used as u8, Ordering::Relaxed);
        Ok(())
    }

    /// Returns whether `frame` is allocated.
    pub fn is_allocated(&self, frame: Frame) -> bool {
        self.allocated(frame).is_some()
    }

    fn allocated(&self, frame: Frame) -> Option<&'m AtomicU8> {
        let byte = self.map.byte(frame)?;
        (byte.load(Ordering::Relaxed) != Use::Free as u8).then_some(byte)
    }

    /// Frees an allocated frame.
    ///
    /// # Errors
    ///
    /// [`Error::NotAllocated`] if the frame is free or not in this memory.
    pub fn give_back(&mut self, frame: Frame) -> Result<(), Error> {
        self.set_use(frame, Use::Free)?;
        self.free += 1;
        Ok(())
    }
}
