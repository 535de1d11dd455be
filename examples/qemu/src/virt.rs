//! The `virt` board as the memory manager's machine.

use core::marker::PhantomData;
use core::ptr::with_exposed_provenance;
use core::sync::atomic::{AtomicU64, Ordering};

use lazy_mmu::Backend;
use lazy_mmu_examples::Frame;
use lazy_mmu_examples::frames::MemoryMap;
use lazy_mmu_examples::machine::{Fault, Machine, Table};
use lazy_mmu_examples::page::LINEAR_BASE;

use crate::{access, step, upper};

/// What is added to a physical address to reach it: 0 by the identity map of TTBR0, [`LINEAR_BASE`] once the linear
/// map is active.
static OFFSET: AtomicU64 = AtomicU64::new(0);

/// The board, with the backend `B`.
#[derive(Debug)]
pub struct Virt<B>(PhantomData<B>);

impl<B> Clone for Virt<B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<B> Copy for Virt<B> {}

impl<B> Virt<B> {
    /// The board, whose frames `map` describes. Switches TTBR1 off, so that its tables can be built anew.
    ///
    /// # Safety
    ///
    /// The memory of `map` is RAM inside the identity map, which nothing but a memory manager uses; no other
    /// memory manager is used any more.
    pub unsafe fn new(map: MemoryMap<'static>) -> Self {
        upper::deactivate();
        OFFSET.store(0, Ordering::Relaxed);
        step::watch(step::Tables::Of(map));
        Self(PhantomData)
    }
}

impl<B: Backend> Machine for Virt<B> {
    type Backend = B;

    fn table(&self, frame: Frame) -> &Table {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "an address has the width of usize on aarch64"
        )]
        let address = (frame.address() + OFFSET.load(Ordering::Relaxed)) as usize;
        // SAFETY: `new` was promised that the frames are RAM that only the memory manager uses, which asks for frames
        // that are tables only. They are mapped, before `activate` and after, and all accesses to them are atomic.
        unsafe { &*with_exposed_provenance(address) }
    }

    fn activate(&self, root: Frame) {
        // 48 bits.
        upper::activate(root.address(), 16);
        OFFSET.store(LINEAR_BASE, Ordering::Relaxed);
    }

    fn read(&self, address: u64) -> Result<u64, Fault> {
        access::read(address)
    }

    fn write(&self, address: u64, value: u64) -> Result<(), Fault> {
        access::write(address, value)
    }

    fn zero(&self, frame: Frame) -> Result<(), Fault> {
        // The first word tells whether the page is there.
        access::write(frame.address() + OFFSET.load(Ordering::Relaxed), 0)?;
        for word in self.table(frame) {
            word.store(0, Ordering::Relaxed);
        }
        Ok(())
    }
}
