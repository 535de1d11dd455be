//! The `virt` board as the memory manager's machine: TTBR1, TLB invalidation, accesses that may fault.

use core::arch::asm;
use core::marker::PhantomData;
use core::ptr::with_exposed_provenance;
use core::sync::atomic::{AtomicU64, Ordering};

use aarch64_cpu::asm::barrier;
use aarch64_cpu::registers::{ReadWriteable, TCR_EL1, TTBR1_EL1, Writeable};
use lazy_mmu::Backend;
use lazy_mmu_examples::Frame;
use lazy_mmu_examples::frames::MemoryMap;
use lazy_mmu_examples::machine::{Fault, Machine, Table};
use lazy_mmu_examples::page::LINEAR_BASE;

use crate::exceptions::may_fault;
use crate::step;

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
        TCR_EL1.modify(TCR_EL1::EPD1::DisableTTBR1Walks);
        invalidate_all();
        OFFSET.store(0, Ordering::Relaxed);
        step::watch(map);
        Self(PhantomData)
    }
}

fn invalidate_all() {
    barrier::isb(barrier::SY);
    // SAFETY: forgetting translations changes no memory.
    unsafe { asm!("tlbi vmalle1", options(nostack, preserves_flags)) };
    barrier::dsb(barrier::NSH);
    barrier::isb(barrier::SY);
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
        // The tables before the register that points to them.
        barrier::dsb(barrier::ISHST);
        TTBR1_EL1.set(root.address());
        // 48 bits, walks as cacheable as the memory that holds the tables.
        TCR_EL1.modify(
            TCR_EL1::T1SZ.val(16)
                + TCR_EL1::TG1::KiB_4
                + TCR_EL1::SH1::Inner
                + TCR_EL1::ORGN1::WriteBack_ReadAlloc_WriteAlloc_Cacheable
                + TCR_EL1::IRGN1::WriteBack_ReadAlloc_WriteAlloc_Cacheable
                + TCR_EL1::EPD1::EnableTTBR1Walks,
        );
        invalidate_all();
        OFFSET.store(LINEAR_BASE, Ordering::Relaxed);
    }

    fn read(&self, address: u64) -> Result<u64, Fault> {
        may_fault(|| {
            let mut value: u64 = 0;
            // SAFETY: a load from mapped normal memory; from an unmapped address the abort handler skips it. The
            // asm may read any memory, so the compiler has stored everything before.
            unsafe {
                asm!("ldr {value}, [{address}]", value = inout(reg) value, address = in(reg) address,
                    options(nostack, preserves_flags, readonly));
            }
            value
        })
    }

    fn write(&self, address: u64, value: u64) -> Result<(), Fault> {
        may_fault(|| {
            // SAFETY: the memory manager writes to frames that it has allocated, through mappings of its own; at an
            // unmapped address the abort handler skips the store.
            unsafe {
                asm!("str {value}, [{address}]", value = in(reg) value, address = in(reg) address,
                    options(nostack, preserves_flags));
            }
        })
    }

    fn zero(&self, frame: Frame) -> Result<(), Fault> {
        // The first word tells whether the page is there.
        self.write(frame.linear(), 0)?;
        for word in self.table(frame) {
            word.store(0, Ordering::Relaxed);
        }
        Ok(())
    }

    fn publish(&self) {
        barrier::dmb(barrier::ISHST);
    }
}
