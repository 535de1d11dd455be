//! The writes that are not plain stores, TLB invalidation, hooks, and a fault inside a section, on live page tables.
//!
//! Run it with `cargo xtask qemu`. What it prints stands in `other_writes.txt` beside the package.

#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(not(target_os = "none"))]
include!("../host.rs");

#[cfg(target_os = "none")]
mod kernel {
    use core::sync::atomic::{AtomicU8, AtomicU32};

    use aarch64_rt::entry;
    use lazy_mmu::Backend;
    use lazy_mmu::aarch64::{Regime, tlb_invalidate};
    use lazy_mmu::tlb::{Scope, Tlbi};
    use lazy_mmu_examples::frames::MemoryMap;
    use lazy_mmu_examples::preempt::PreemptCount;
    use lazy_mmu_examples::scenario::MEMORY_BASE;
    use lazy_mmu_examples::{Error, MemoryManager};
    use lazy_mmu_qemu::thread::{ByteMmu, Mmu, OTHER_THREAD, THREAD, ThreadInfo};
    use lazy_mmu_qemu::virt::Virt;
    use lazy_mmu_qemu::{program, writes};

    const FRAMES: usize = 4096;

    static USES: [AtomicU8; FRAMES] = [const { AtomicU8::new(0) }; FRAMES];

    entry!(main);
    fn main(_: u64, _: u64, _: u64, _: u64) -> ! {
        program::run(|| {
            show::<Mmu, First>("flags word, SP_EL0", &THREAD)?;
            show::<ByteMmu, Second>("own byte, TPIDR_EL1", &OTHER_THREAD)
        })
    }

    // What `cargo xtask qemu` looks up in the disassembly. Nothing calls them.

    #[unsafe(no_mangle)]
    extern "C" fn b20_tlbi_of_el1(operand: u64) {
        all(Regime::El1And0, operand);
    }

    #[unsafe(no_mangle)]
    extern "C" fn b20_tlbi_of_el2(operand: u64) {
        all(Regime::El2, operand);
    }

    #[unsafe(no_mangle)]
    extern "C" fn b20_tlbi_by_default(operand: u64) {
        for_each(operand, Smallest::tlb_invalidate);
    }

    #[unsafe(no_mangle)]
    extern "C" fn b01_pair_by_default(_: u64) {
        Smallest::barrier();
    }

    #[unsafe(no_mangle)]
    extern "C" fn b31_end_by_default(_: u64) {
        Smallest::tlb_barrier();
    }

    #[used]
    static KEPT: [extern "C" fn(u64); 5] = [
        b31_end_by_default,
        b20_tlbi_of_el1,
        b20_tlbi_of_el2,
        b20_tlbi_by_default,
        b01_pair_by_default,
    ];

    /// A backend that says only what it must: on aarch64 everything else is given.
    struct Smallest;

    // SAFETY: nothing opens a section with it.
    unsafe impl Backend for Smallest {
        type Storage = <Mmu as Backend>::Storage;

        fn current() -> Self::Storage {
            Mmu::current()
        }

        fn in_interrupt() -> bool {
            Mmu::in_interrupt()
        }
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "into each of the two")]
    fn all(regime: Regime, operand: u64) {
        for_each(operand, |instruction| tlb_invalidate(regime, instruction));
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "into each of the three")]
    fn for_each(operand: u64, execute: impl Fn(Tlbi)) {
        let [last, all] = [Scope::LastLevel, Scope::AllLevels];
        for instruction in [
            Tlbi::Page {
                operand,
                scope: last,
            },
            Tlbi::Page {
                operand,
                scope: all,
            },
            Tlbi::Range {
                operand,
                scope: last,
            },
            Tlbi::Range {
                operand,
                scope: all,
            },
            Tlbi::All,
        ] {
            execute(instruction);
        }
    }

    struct First;

    impl PreemptCount for First {
        fn current() -> &'static AtomicU32 {
            &THREAD.preempt_count
        }
    }

    struct Second;

    impl PreemptCount for Second {
        fn current() -> &'static AtomicU32 {
            &OTHER_THREAD.preempt_count
        }
    }

    fn show<B: Backend, P: PreemptCount>(
        storage: &str,
        thread: &'static ThreadInfo,
    ) -> Result<(), Error> {
        for used in &USES {
            used.store(0, core::sync::atomic::Ordering::Relaxed);
        }
        let map = MemoryMap::new(MEMORY_BASE, &USES);
        // SAFETY: the RAM there is the frames', and in the identity map; memory managers are used one after another.
        let machine = unsafe { Virt::<B>::new(map) };
        let mut mm = MemoryManager::boot(machine, map, false)?;
        writes::show::<B, P>(storage, &mut mm, thread)
    }
}
